"""Making an archive: a git repository of its own with DVC in it, by writing DVC's files directly.

An existing git or DVC repository is adopted when a person asks for it; then nothing that is there is touched. What the
archive must have ignored, it ignores from files inside its own folders.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from reprokit import git
from reprokit.archive import durable, small_file
from reprokit.archive.layout import FORMAT, PRIVATE, SETTINGS, Archive
from reprokit.archive.settings import expand, is_archive, read_settings
from reprokit.errors import UsageError

_AS_THEY_ARE = "# Records are compared byte for byte: git must not touch them.\n* -text -filter -ident\n"
_README = """\
# An archive of evaluations

Each folder under `bundles/` is one finished evaluation of a model: a *bundle*. It holds what was asked, what came out,
the code, the packages and the machine, and it can be checked, read and run again without the program that made it.

- `bundles/<month>/<id>/` is the bundle. It is kept by DVC, not by git.
- `bundles/<month>/<id>.dvc` is what git keeps in its place: a pointer to its bytes.
- `catalog/<month>/<id>.json` is a summary: scores, model, harness, code. To find a bundle, search here.
- `ledger/` says what happened to bundles after they were made: one line per event, only ever added to.
- `reprokit.toml` marks this folder as an archive and holds its settings.

## Check a bundle

    cd bundles/<month>/<id>
    sha256sum --check manifest-sha256.txt tagmanifest-sha256.txt

The SHA-256 of `manifest-sha256.txt` is the identity of the bundle; its id ends in the first eight digits of it.

## Get a bundle

A clone of this repository holds pointers and summaries. With plain git and DVC, the rest comes from a DVC remote:

    dvc remote add --default <name> <address>      # once, in the first copy: then commit .dvc/config
    dvc push bundles/<month>/<id>.dvc

    git clone <this repository> && cd <clone>
    dvc pull bundles/<month>/<id>.dvc

Name the `.dvc` file: without it, DVC walks the whole archive. Without DVC, too, every byte can be found: the file that
a `.dvc` file calls `md5: 0123….dir` is `.dvc/cache/files/md5/01/23….dir`; it lists the bundle's files, each with the
MD5 under which it lies in the same place.

## Mind

- `dvc gc -w` on a branch without the pointers deletes the bundles' bytes.
- Nothing in a bundle is ever changed. A correction is a new bundle.

Start with `README.md` in a bundle's `data/` folder.
"""
_DVC_CONFIG = """\
[core]
    analytics = false
[cache]
    dir = cache
    type = "hardlink,copy"
"""
MARK = f"[archive]\nformat = {FORMAT}\n"

FILES: dict[str, str] = {
    ".dvc/config": _DVC_CONFIG,
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": f"# What is private to one copy of this archive.\n/{PRIVATE}/\n",
    "README.md": _README,
    # Not `/*/*/`: as DVC reads it, that ignores the months as well, and with them every pointer.
    "bundles/.gitignore": "# The payload is kept by DVC; the pointers (`*/*.dvc`) are kept by git.\n/*/*-*-*/\n",
    "bundles/.gitattributes": _AS_THEY_ARE,
    "catalog/.gitattributes": _AS_THEY_ARE,
    "ledger/.gitattributes": _AS_THEY_ARE,
    "signatures/.gitattributes": _AS_THEY_ARE,
    # The last one: with it, the folder is an archive.
    SETTINGS: f"# An archive of evaluation bundles: see README.md.\n{MARK}",
}
_PATIENCE = 60.0


def create(root: Path, *, nested: bool = False) -> Archive:
    """Make an archive in a folder, or adopt the git or DVC repository that is there; doing so again changes nothing.

    With `nested`, the folder may lie in the work tree of another repository that does not ignore it.

    Raises:
        UsageError: the folder holds other things, lies in another work tree, has settings of its own, or cannot be
            written.
        GitError: git is missing or refused; calling again completes what is missing.
    """
    archive = Archive(expand(Path(root), "the command line").absolute())
    _refuse_unsuitable(archive.root, nested=nested)
    try:
        durable.prepare(archive)
        # Many processes may capture for the first time at once.
        with FileLock(archive.private / "creation.lock", timeout=_PATIENCE):
            _fill(archive)
    except Timeout:
        raise UsageError(f"another process is making `{archive.root}`", hint="try again when it has ended") from None
    except OSError as error:
        raise UsageError(
            f"`{archive.root}` cannot be made an archive: {error.strerror or error}",
            hint="name a folder that can be written",
        ) from error
    return archive


def _fill(archive: Archive) -> None:
    root = archive.root
    if not (root / ".git").exists():
        git.initialise(root)
    for name, text in FILES.items():
        _write_missing(archive, root / name, text)
    if own := _uncommitted(root):
        git.commit_paths(root, own, "make an archive of evaluation bundles")


def _write_missing(archive: Archive, path: Path, text: str) -> None:
    if not path.exists() and not path.is_symlink():
        durable.write(path, text.encode(), archive=archive)


def _uncommitted(root: Path) -> list[Path]:
    """List our files that git does not know, also of a call cut short; never a person's own, such as a link."""
    files = [name for name in FILES if not (root / name).is_symlink()]
    ours = [name for name in files if small_file.read(root / name) == FILES[name].encode()]
    # Not `--exclude-standard`: a rule of the adopted repository must not keep the archive's own files out.
    known = git.run(["ls-files", "-z", "--", *ours], directory=root).split(b"\0")
    return [Path(name) for name in ours if name.encode() not in known]


def _refuse_unsuitable(root: Path, *, nested: bool) -> None:
    if root.exists() and not root.is_dir():
        raise UsageError(f"`{root}` is not a folder", hint="name a folder that does not exist yet")
    if (root / ".git").exists():
        _refuse_other_settings(root)
        return
    if root.is_dir() and (strange := sorted({path.name for path in root.iterdir()} - {PRIVATE, *_TOP})):
        raise UsageError(
            f"`{root}` is not empty and no git repository: it holds `{strange[0]}`",
            hint="name an empty or new folder; to adopt what is there, run `git init` in it first",
        )
    if not nested:
        _refuse_nested(root)


_TOP = {name.partition("/")[0] for name in FILES}


def _refuse_other_settings(root: Path) -> None:
    if not (root / SETTINGS).exists() or is_archive(root):
        return
    if "archive" in read_settings(root / SETTINGS):
        raise UsageError(
            f"`{root / SETTINGS}` names another archive", hint="remove `archive = …` from it, or choose another folder"
        )
    lines = ", ".join(f"`{line}`" for line in MARK.splitlines())
    raise UsageError(f"`{root / SETTINGS}` is there already", hint=f"add the lines {lines} to it, then try again")


def _refuse_nested(root: Path) -> None:
    above = next((parent for parent in root.parents if (parent / ".git").exists()), None)
    if above is None:
        return
    if git.answer(["check-ignore", "--quiet", "--", f"{root}/"], directory=above) is None:
        raise UsageError(
            f"`{root}` lies in the git repository `{above}`",
            hint=f"choose a folder outside of it, add `{root.name}/` to its `.gitignore`, or adopt `{above}` itself",
        )
