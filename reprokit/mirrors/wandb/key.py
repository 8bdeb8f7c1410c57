"""Which key goes to which server.

A key from the environment goes only to one that the user named, and so does just any key of a netrc file, where other
programs keep theirs. To one that only a file of an archive names goes nothing but what `wandb login` stored for that
very host, since a user who logged in there knows it; and never in the clear.
"""

from __future__ import annotations

from reprokit.errors import InputMissingError
from reprokit.mirrors.interface import Destination, Environment
from reprokit.mirrors.wandb import address, user_settings

_VARIABLE = "WANDB_API_KEY"


def find(to: Destination, environment: Environment) -> str:
    """Give the key for a server.

    Raises:
        InputMissingError: there is none that may be used, or it is none.
    """
    given = environment.get(_VARIABLE, "").strip()
    key, source = (given, _VARIABLE) if given and to.trusted else (_stored(to, environment), "your netrc file")
    if not key:
        raise InputMissingError(f"there is no key for W&B at {to.address}", hint=_hint(to, given))
    if wrong := user_settings.complaint(key):
        raise InputMissingError(f"the key for W&B in {source} cannot be one: {wrong}", hint=_hint(to, ""))
    return key


def _stored(to: Destination, environment: Environment) -> str | None:
    if not to.trusted and not address.is_private(to.address):
        return None
    return user_settings.stored_key(address.hosts_of(to.address), environment, by_login_only=not to.trusted)


def _hint(to: Destination, given: str) -> str:
    login = "`wandb login`" if address.is_service(to.address) else f"`wandb login --host {to.address}`"
    if not to.trusted and not address.is_private(to.address):
        return (
            "only the archive's settings name that address, and it is in the clear: if you trust it, set WANDB_BASE_URL"
        )
    if given and not to.trusted:
        return f"only the archive's settings name that address: if you trust it, use {login}, or set WANDB_BASE_URL"
    return f"{login}, or set WANDB_API_KEY" if to.trusted else login
