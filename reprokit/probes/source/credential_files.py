"""Which files hold credentials, as their names tell: they lie beside code for a tool to read, not to be passed on."""

from __future__ import annotations

from fnmatch import fnmatchcase

REASON = "may hold credentials"

_NAMES = (
    *(".env", ".env.*", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd"),
    *("id_rsa*", "id_ed25519*", "id_ecdsa*", "id_dsa*", "*.pem", "*.key", "*.p12", "*.pfx", "*.keystore"),
    *("*credentials*.json", "*service_account*.json", "kubeconfig"),
)
_TEMPLATES = (".env.example", ".env.sample", ".env.template")
_FOLDERS = frozenset({".aws", ".ssh"})
_PLACES = (".docker/config.json",)


def may_hold_credentials(path: str) -> bool:
    """Tell whether a file with this POSIX path is of a kind that holds credentials, in whatever case it is written."""
    path = path.lower().rstrip("/")
    *folders, name = path.split("/")
    if name in _TEMPLATES:
        return not _FOLDERS.isdisjoint(folders)
    return (
        not _FOLDERS.isdisjoint([*folders, name])
        or any(fnmatchcase(name, pattern) for pattern in _NAMES)
        or any(f"/{path}".endswith(f"/{place}") for place in _PLACES)
    )
