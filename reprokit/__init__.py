"""Make a model evaluation outlive the machine it ran on.

    with reprokit.capture(name="baseline") as run:      # a block of your own program becomes a bundle
        run.subject(model="org/name", dataset="org/data")
        run.sample(id=0, prompt="1+1=", target="2", response="2", scores={"exact_match": 1.0})
    if run.bundle_id is not None:                       # else `run.failure` says why, and your program goes on
        bundle = reprokit.open(run.bundle_id)
    report = reprokit.audit(offline=True)               # is the archive whole?

Importing this does nothing and is fast.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from reprokit.audit.in_python import audit as audit
    from reprokit.bundle.reading import Bundle
    from reprokit.capture.in_python.api import capture as capture

__all__ = ["__version__", "audit", "capture", "open"]

__version__ = "0.1.0"


def open(reference: str | os.PathLike[str], *, archive: str | os.PathLike[str] | None = None) -> Bundle:  # noqa: A001 - `reprokit.open` is what it is called by
    """Open a bundle to read it.

    Args:
        reference: its id, a unique beginning of it, its folder, `latest`, a packed file, or one of a bundle elsewhere,
            such as `wandb:entity/project/name:alias` or `dvc:ADDRESS#BUNDLE`. Of a mirror's the archive's own bundle is
            given, if it is there and whole; otherwise it is fetched and proven, and its files are gone with the last
            reference to the `Bundle`. To keep them, `reprokit pull`, or unpack the file.
        archive: the archive, where it is not the one that `reprokit` commands use.

    Raises:
        NotFoundError: there is no such bundle, or no archive; or `None` was given, since the run was not captured.
        UsageError: it may mean several bundles.
        UnreadableError: it is malformed, or newer than this version reads.
        FixityError: what is held of it elsewhere is not what was captured.
        InvalidRecordError: its records are not valid; a bundle from elsewhere is checked for that, too.
        RemoteError: the mirror or remote cannot be reached, or refuses us.
        InputMissingError: there is no key for the mirror, or its client is not installed.
    """
    named = str(reference)
    if ":" in named or named.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip")):
        from reprokit.sync.foreign.opening import open_foreign  # noqa: PLC0415 - to import `reprokit` must stay cheap

        if (fetched := open_foreign(named, archive)) is not None:
            return fetched

    from reprokit.capture.in_python.api import open_reference  # noqa: PLC0415 - to import `reprokit` must stay cheap

    return open_reference(reference, archive)


def __getattr__(name: str) -> object:
    """Give `reprokit.capture` and `reprokit.audit` when they are first asked for."""
    if name in {"audit", "capture"}:
        import importlib  # noqa: PLC0415 - the same

        return importlib.import_module(f"reprokit.{name}")
    message = f"module `reprokit` has no attribute `{name}`"
    raise AttributeError(message)
