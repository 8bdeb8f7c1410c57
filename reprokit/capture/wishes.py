"""How a capture is wished to be: what flags say, else environment variables, else `reprokit.toml`, else the defaults.

    [capture]
    samples = "digest"     # or REPROKIT_SAMPLES=digest: keep private samples out
    defer = true           # or REPROKIT_DEFER=1: leave registering to another process
    mirror = true          # or REPROKIT_MIRROR=1: copy the bundle to its mirror; a mirror's name says which

The nearest file with such a table counts, and after it the user's own. That a bundle goes to a mirror is for the user
to say: `mirror = true` counts in the user's own file and in that of an archive that the user names (`REPROKIT_ARCHIVE`,
the user's own file, or nobody: the default one). In that of a checkout, which may be a stranger's, it does not, even
when that calls itself an archive. `mirror = false` counts in each.

`REPROKIT_RESULTS` and `REPROKIT_SAMPLES` may name the files of a script too, several separated by `:`. They, and the
mappings of `reprokit.toml`, are for programs that are no known harness.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprokit.archive import location
from reprokit.archive.settings import expand, is_archive, named_archive, read_settings
from reprokit.capture.mapping import Mapping as ScriptMapping
from reprokit.capture.mapping import by_name, for_command, known_names, refuse_other_keys, settings_above
from reprokit.errors import UsageError
from reprokit.harnesses import table
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.outbox.queueing import DEFAULT

RESULTS_VARIABLE = "REPROKIT_RESULTS"
SAMPLES_VARIABLE = "REPROKIT_SAMPLES"
DEFER_VARIABLE = "REPROKIT_DEFER"
MIRROR_VARIABLE = "REPROKIT_MIRROR"
DIGEST = "digest"
FULL = "full"
SCRIPT = "script"

_TABLE = "capture"
_KEYS = ("samples", "defer", "mirror")
_NO = {"", "0", "false", "no", "off"}
_YES = {"1", "true", "yes", "on"}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is wished without a flag. With `private`, samples are kept as digests only.

    `mirror` is the mirror that is to get a copy; `mirror_named` is the one that a flag means which names none.
    `unheeded` is the file of a checkout that wishes for a mirror, when nobody else has a word on it.
    """

    results: Path | None = None
    samples: tuple[Path, ...] = ()
    private: bool = False
    defer: bool = False
    mirror: str | None = None
    mirror_named: str = DEFAULT
    unheeded: Path | None = None

    def mirror_if(self, asked: bool | None) -> str | None:  # noqa: FBT001 - what a flag says, if it was given
        """Give the mirror that is to get a copy, when a flag may say that one is or that none is."""
        return self.mirror if asked is None else self.mirror_named if asked else None


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Who evaluates: a harness by name, if it has to be told, and the files of a script."""

    harness: str | None = None
    results: Path | None = None
    samples: tuple[Path, ...] = ()
    fields: Fields = STANDARD


def read_wishes(directory: Path, environment: Mapping[str, str], *, place: Path | None = None) -> Wishes:
    """Read what the environment wishes and, after it, the nearest `reprokit.toml` with a `[capture]` table.

    What that does not say, the one nearest to `place`, where finished runs lie, may; then the user's own.

    Raises:
        UnreadableError: a settings file cannot be read.
        UsageError: `[capture]` or a variable is not as it has to be; where and what is named.
    """
    said, unheeded = _said(directory, place, environment)
    defer = said.get("defer", False)
    try:
        samples, kept = split_samples(environment.get(SAMPLES_VARIABLE, "").split(os.pathsep), directory)
    except UsageError as error:
        raise UsageError(f"`{SAMPLES_VARIABLE}`: {error.message}", hint=error.hint) from None
    if environment.get(DEFER_VARIABLE) is not None:
        defer = environment[DEFER_VARIABLE].lower() not in _NO
    mirror = _mirror(environment[MIRROR_VARIABLE]) if MIRROR_VARIABLE in environment else said.get("mirror")
    results = environment.get(RESULTS_VARIABLE)
    return Wishes(
        results=Path(results) if results else None,
        samples=samples,
        private=said.get("samples", False) if kept is None else kept == DIGEST,
        defer=defer,
        mirror=mirror,
        mirror_named=mirror or said.get("mirror") or DEFAULT,
        unheeded=None if "mirror" in said or MIRROR_VARIABLE in environment else unheeded,
    )


def _is_users_archive(folder: Path, directory: Path, environment: Mapping[str, str]) -> bool:
    """Tell whether a folder is an archive by the user's word, and not only by its own."""
    if not is_archive(folder):
        return False
    *_, own = location.settings_files(directory)
    named = environment.get(location.VARIABLE)
    by_variable = directory / expand(Path(named), f"`{location.VARIABLE}`") if named else None
    roots = (by_variable, named_archive(own), location.default_root())
    return any(os.path.realpath(root) == os.path.realpath(folder) for root in roots if root is not None)


def _said(directory: Path, place: Path | None, environment: Mapping[str, str]) -> tuple[dict[str, Any], Path | None]:
    """Read what settings files say, and which of a checkout wishes for a mirror, where that is not its to wish."""
    said: dict[str, Any] = {}
    unheeded: Path | None = None
    for start in (directory, place):
        written = next((each for each in settings_above(start) if _TABLE in each[1]), None) if start else None
        if written is None:
            continue
        more = _capture(*written)
        if more.get("mirror") and not _is_users_archive(written[0].parent, directory, environment):
            unheeded = unheeded or written[0]
            del more["mirror"]
        said = more | said
    *_, own = location.settings_files(directory)
    settings = read_settings(own)
    return (_capture(own, settings) | said if _TABLE in settings else said), unheeded


def _mirror(word: str) -> str | None:
    """Read what names a mirror, or says yes or no: the default one, or none."""
    if word.lower() in _NO:
        return None
    return DEFAULT if word.lower() in _YES else word


def split_samples(words: Sequence[str], directory: Path) -> tuple[tuple[Path, ...], str | None]:
    """Tell files of samples from the words `digest` and `full`; a file of that name is written `./digest`.

    Returns:
        The files, and the last of the two words that was given.

    Raises:
        UsageError: something is neither a file in `directory` nor one of the words, and spelt nearly like one.
    """
    for word in words:
        _refuse_misspelt(word, directory)
    files = tuple(Path(word) for word in words if word and word not in {DIGEST, FULL})
    return files, next((word for word in reversed(words) if word in {DIGEST, FULL}), None)


def _refuse_misspelt(word: str, directory: Path) -> None:
    # Taken for a file that is yet to be written, a slip in `digest` would let private samples be kept in full.
    near = difflib.get_close_matches(word.lower(), (DIGEST, FULL), n=1)
    if near and word not in {DIGEST, FULL} and not {".", "/"} & set(word) and not (directory / word).exists():
        raise UsageError(
            f"samples are kept as `{DIGEST}` or in `{FULL}`, not as `{word}`",
            hint=f"did you mean `{near[0]}`? A file of that name is written `./{word}`",
        )


def check_harness(name: str | None, mappings: Sequence[ScriptMapping]) -> None:
    """Refuse the name of a harness or a mapping that nobody knows.

    Raises:
        UsageError: nobody does.
    """
    known = known_names(mappings)
    if name is not None and name not in known:
        listed = ", ".join(f"`{each}`" for each in known)
        raise UsageError(
            f"there is no harness `{name}`", hint=f"it is one of {listed}, or `[script.{name}]` is missing"
        )


def evaluator(
    argv: Sequence[str],
    *,
    harness: str | None,
    results: Path | None,
    samples: tuple[Path, ...],
    wishes: Wishes,
    mappings: Sequence[ScriptMapping],
) -> Evaluator:
    """Settle who evaluates in a command, each thing by the first who says it: flag, environment, mapping.

    Raises:
        UsageError: there is no such harness, or several mappings match the command.
    """
    check_harness(harness, mappings)
    flags = results is not None or bool(samples)
    known = {each.name for each in table.HARNESSES}
    if harness in known or (harness is None and not flags and table.by_argv(argv) is not None):
        return Evaluator(harness=harness, results=results, samples=samples)
    mapping = by_name(mappings, harness) if harness else for_command(mappings, argv)
    mapped = mapping or ScriptMapping(origin="")
    return Evaluator(
        harness=SCRIPT if harness else None,
        results=results or wishes.results or mapped.results,
        samples=samples or wishes.samples or mapped.samples,
        fields=mapped.fields,
    )


def _capture(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Read what a `[capture]` table says: whether samples are digests only, whether to defer, and the mirror."""
    where = f"`{path}`: `[{_TABLE}]`"
    written = settings[_TABLE]
    if not isinstance(written, dict):
        raise UsageError(f"`{path}`: `{_TABLE}` is no table", hint='write `[capture]`, then `samples = "digest"`')
    refuse_other_keys(where, written, _KEYS)
    samples, defer = written.get("samples", FULL), written.get("defer", False)
    if samples not in {DIGEST, FULL}:
        raise UsageError(f"{where}: `samples` is neither `digest` nor `full`", hint='write `samples = "digest"`')
    if not isinstance(defer, bool):
        raise UsageError(f"{where}: `defer` is neither `true` nor `false`", hint="write `defer = true`")
    mirror = written.get("mirror", False)
    if not isinstance(mirror, bool | str):
        raise UsageError(f"{where}: `mirror` is neither `true`, `false` nor a name", hint="write `mirror = true`")
    read = {"samples": samples == DIGEST, "defer": defer, "mirror": _mirror(str(mirror))}
    return {key: value for key, value in read.items() if key in written}
