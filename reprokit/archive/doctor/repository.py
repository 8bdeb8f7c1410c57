"""Git and DVC in an archive: what stands in the way of a commit, and settings that lose or change bytes."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from reprokit import clock, git
from reprokit.archive import cache, small_file
from reprokit.archive.doctor.checking import Check, fail, ok, warn
from reprokit.archive.layout import Archive
from reprokit.archive.settings import expand

_STALE = 600.0  # seconds: no git of ours holds its index that long
_SAMPLE = "20260101T000000Z-script-model-00000000"
_RECORDS = (f"bundles/2026-01/{_SAMPLE}.dvc", f"catalog/2026-01/{_SAMPLE}.json", "ledger/2026-01/x.jsonl")
_UNTOUCHED = ("text", "filter", "ident")
_YES = {"true", "yes", "on", "1"}


def check(archive: Archive) -> Iterator[Check]:
    """Look at git.

    Raises:
        GitError: git does not accept the repository, for instance since it belongs to somebody else.
    """
    told = git.run(["rev-parse", "--absolute-git-dir"], directory=archive.root)
    troubles = [
        *_commits(archive, Path(os.fsdecode(told[:-1]))),
        *_identity(archive),
        *_hooks(archive),
        *_attributes(archive),
        *_ignored(archive),
    ]
    yield from troubles
    if not troubles:
        yield ok("repository", "git can commit, and leaves bytes as they are")


def _commits(archive: Archive, directory: Path) -> Iterator[Check]:
    if under_way := git.operation(directory):
        yield fail(
            "repository",
            f"git is in the middle of a {under_way}: nothing can be committed",
            f"finish or abort the {under_way} in `{archive.root}`",
        )
    lock = directory / "index.lock"
    try:
        age = clock.now().timestamp() - lock.stat().st_mtime
    except OSError:
        age = 0.0
    if age > _STALE:
        yield fail(
            "repository",
            f"`{lock}` has been there for {age / 60:.0f} minutes: nothing can be committed",
            "remove it, if no git is at work",
        )
    if git.answer(["symbolic-ref", "--quiet", "HEAD"], directory=archive.root) is None:
        yield warn(
            "repository",
            "HEAD is on no branch: the next checkout loses sight of what is captured now",
            "`git switch -c NAME` in the archive",
        )


def _config(archive: Archive, name: str) -> str | None:
    told = git.answer(["config", "--get", name], directory=archive.root)
    return None if told is None else told.decode("utf-8", errors="replace").strip()


def _identity(archive: Archive) -> Iterator[Check]:
    missing = [name for name in ("user.name", "user.email") if not _config(archive, name)]
    if missing:
        names = " and ".join(f"`{name}`" for name in missing)
        yield warn(
            "identity", f"git has no {names}: commits are made in reprokit's name", 'git config --global user.name "…"'
        )


def _hooks(archive: Archive) -> Iterator[Check]:
    folder = _hooks_folder(archive)
    try:
        found = sorted(path.name for path in folder.iterdir() if path.suffix != ".sample" and os.access(path, os.X_OK))
    except OSError:
        return
    if found:
        names = ", ".join(f"`{name}`" for name in found)
        yield warn(
            "hooks",
            f"{names} run when you use git in the archive yourself; those of DVC walk all of it",
            f"remove them from `{folder}`, unless you want them; reprokit runs none",
        )


def _hooks_folder(archive: Archive) -> Path:
    # Our own calls are told that there is none; where the others look is what is asked.
    told = git.answer(["config", "--null", "--show-origin", "--get-all", "core.hooksPath"], directory=archive.root)
    rows = [os.fsdecode(row) for row in (told or b"").split(b"\0")]
    stated = [value for origin, value in zip(rows[::2], rows[1::2], strict=False) if origin != "command line:"]
    if stated:
        return archive.root / expand(Path(stated[-1]), "`core.hooksPath` of git")
    common = git.run(["rev-parse", "--git-common-dir"], directory=archive.root)
    return archive.root / os.fsdecode(common[:-1]) / "hooks"


def _attributes(archive: Archive) -> Iterator[Check]:
    told = git.run(["check-attr", "-z", *_UNTOUCHED, "--", *_RECORDS], directory=archive.root).split(b"\0")
    touched = sorted(
        {
            path.decode().partition("/")[0]
            for path, value in zip(told[::3], told[2::3], strict=False)
            if value != b"unset"
        }
    )
    if not touched:
        return
    folders = ", ".join(f"`{folder}`" for folder in touched)
    crlf = _config(archive, "core.autocrlf")
    hint = "restore the `.gitattributes` there: `* -text -filter -ident`"
    if crlf in {"true", "input"}:
        yield fail("attributes", f"git changes line ends of records in {folders}: `core.autocrlf` is `{crlf}`", hint)
    else:
        yield warn("attributes", f"git may change bytes of records in {folders}", hint)


def _ignored(archive: Archive) -> Iterator[Check]:
    payload = f"bundles/2026-01/{_SAMPLE}/data/bundle.json"
    if git.answer(["check-ignore", "--quiet", "--no-index", "--", payload], directory=archive.root) is None:
        yield warn(
            "ignoring",
            "git does not ignore the payload of bundles: `git add` would put all of it in its history",
            "restore `bundles/.gitignore`: `/*/*-*-*/`",
        )


def check_dvc(archive: Archive) -> Iterator[Check]:
    """Look at the settings of DVC: those of the archive, and those of the person."""
    files = [
        platformdirs.user_config_path("dvc", "iterative") / "config",
        archive.root / ".dvc" / "config",
        archive.root / ".dvc" / "config.local",
    ]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    troubles: list[Check] = []
    for path in files:
        try:
            parser.read_string(small_file.read(Path(os.path.realpath(path))).decode("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            reason = str(error).partition("\n")[0]
            troubles.append(fail("dvc settings", f"`{path}` cannot be read: {reason}", "mend it"))
    troubles += [*_cache(archive, parser), *_core(parser), *_remotes(parser)]
    yield from troubles
    if not troubles:
        yield ok("dvc settings", "nothing in them loses or hides damage")


def _value(parser: configparser.ConfigParser, section: str, name: str) -> str:
    return parser.get(section, name, fallback="").strip("\"'").lower()


def _cache(archive: Archive, parser: configparser.ConfigParser) -> Iterator[Check]:
    kinds = {each.strip() for each in _value(parser, "cache", "type").split(",")}
    if "symlink" in kinds:
        yield fail(
            "dvc settings",
            "`cache.type` has `symlink`: `dvc checkout` makes links out of bundles, which are then none",
            "`dvc config cache.type hardlink,copy` in the archive",
        )
    place = cache.of(archive).directory
    if not place.resolve().is_relative_to(archive.root.resolve()):
        yield warn(
            "dvc settings",
            f"the cache `{place}` lies outside of the archive: `reprokit gc` does not touch it",
            "if nobody else uses it, remove `cache.dir`",
        )


def _core(parser: configparser.ConfigParser) -> Iterator[Check]:
    if _value(parser, "core", "autostage") in _YES:
        yield warn(
            "dvc settings",
            "`core.autostage` is on: DVC stages files in git that reprokit did not write",
            "`dvc config core.autostage false` in the archive",
        )


def _remotes(parser: configparser.ConfigParser) -> Iterator[Check]:
    for section in parser.sections():
        word, _, name = section.strip("'").partition(" ")
        if word == "remote" and _value(parser, section, "verify") not in _YES:
            name = name.strip('"')
            yield warn(
                "dvc settings",
                f"the remote `{name}` is not verified: `dvc pull` hands out damaged files (`reprokit pull` does not)",
                f"`dvc remote modify {name} verify true` in the archive",
            )
