"""The address of a W&B server, and which addresses are one service."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from reprokit.errors import UsageError

DEFAULT = "https://api.wandb.ai"
_SAME_SERVICE = ("api.wandb.ai", "api.forge.coreweave.com")
"""W&B's own service: which of the two its client takes as the default depends on the client's version."""
_PROXY_OF_SERVICE = "https://forge.coreweave.com/api/wandb"
_PEOPLES = ("wandb.ai", "www.wandb.ai", "app.wandb.ai")
_HINT = "write it as `https://wandb.example.org`, with the key in WANDB_API_KEY or in a netrc file"


def normal(address: str, *, named_by: str) -> str:
    """Check the address of a server and give it in its normal form; `named_by` tells who named it.

    A server of one's own, in a lab, often speaks plain HTTP: that is its owner's to choose.

    Raises:
        UsageError: it is no address of a server, or holds credentials.
    """
    if any(ord(each) <= 32 or ord(each) == 127 for each in address):  # noqa: PLR2004 - blanks and control characters
        raise UsageError(f"{named_by} names an address with a blank in it", hint=_HINT)
    parts = _split(address, named_by)
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{named_by} names an address with credentials in it, which are sent nowhere", hint=_HINT)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{named_by} names `{address}`, which is no address of a W&B server", hint=_HINT)
    host = parts.hostname.lower()
    if host in _PEOPLES:
        raise UsageError(
            f"{named_by} names `{address}`, which is W&B's site for people", hint=f"its programs go to {DEFAULT}"
        )
    if host in _SAME_SERVICE and parts.scheme != "https":
        raise UsageError(f"{named_by} names `{address}`, and W&B's own service is not used in the clear", hint=_HINT)
    made = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")
    return f"https://{_SAME_SERVICE[1]}" if made == _PROXY_OF_SERVICE else made


def _split(address: str, named_by: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise UsageError(f"{named_by} names an address that nobody can read", hint=_HINT) from None
    return parts


def hosts_of(address: str) -> tuple[str, ...]:
    """Name the hosts, with their ports where they have any, under which W&B's client may have stored a key for it."""
    netloc = urlsplit(address).netloc
    return (netloc, *(each for each in _SAME_SERVICE if each != netloc)) if netloc in _SAME_SERVICE else (netloc,)


def is_private(address: str) -> bool:
    """Tell whether nobody on the way can read what is sent to an address."""
    return urlsplit(address).scheme == "https"


def is_service(address: str) -> bool:
    """Tell whether an address is that of W&B's own service."""
    return urlsplit(address).netloc in _SAME_SERVICE
