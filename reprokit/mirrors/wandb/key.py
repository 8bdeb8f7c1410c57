"""Which key goes to which server: a key from the environment only to one that the user named."""

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
    stored = user_settings.stored_key(address.hosts_of(to.address), environment)
    key, source = (given, _VARIABLE) if given and to.trusted else (stored, "your netrc file")
    if not key:
        raise InputMissingError(f"there is no key for W&B at {to.address}", hint=_hint(to, given))
    if wrong := user_settings.complaint(key):
        raise InputMissingError(f"the key for W&B in {source} cannot be one: {wrong}", hint=_hint(to, ""))
    return key


def _hint(to: Destination, given: str) -> str:
    login = "`wandb login`" if address.is_service(to.address) else f"`wandb login --host {to.address}`"
    if given and not to.trusted:
        return f"only the archive's settings name that address: if you trust it, use {login}, or set WANDB_BASE_URL"
    return f"{login}, or set WANDB_API_KEY" if to.trusted else login
