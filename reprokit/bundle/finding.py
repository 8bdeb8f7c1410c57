"""What a check has to say: findings, and the one catalogue of their codes.

A code keeps its meaning for good. `E` breaks a promise of the format, `W` is something a reader should know.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

CATALOGUE: dict[str, tuple[str, str]] = {
    "E101": ("a payload file is not what was captured", "restore it from another copy: `dvc pull`, or an export"),
    "E102": ("a payload file is missing", "restore it from another copy: `dvc pull`, or an export"),
    "E103": ("a file that the manifest does not list", "move it out of the bundle"),
    "E104": ("a tag file is missing, changed or not in canonical form", "restore it from another copy"),
    "E105": ("not a regular file, or a path that leads out of the bundle", "do not use this bundle"),
    "E106": ("the bundle is not the one its name or its records say", "restore it from another copy"),
    "E107": ("the DVC pointer does not match the bundle", "restore the pointer: `git checkout` in the archive"),
    "E108": ("the catalog entry does not match the bundle", "restore the entry: `git checkout` in the archive"),
    "E109": ("an object in the DVC cache is damaged or missing", "restore it: `dvc fetch --force`"),
    "E201": ("a record is not valid JSON", "restore it from another copy"),
    "E202": ("a record does not follow its schema", "capture the run again with this version of reprokit"),
    "E203": ("a sample line does not follow its schema", "capture the run again with this version of reprokit"),
    "E204": ("a record that every bundle holds is missing", "restore it from another copy"),
    "E205": ("a compressed file does not hold what the record says", "restore it from another copy"),
    "E206": ("the record's index of files does not match the payload", "restore it from another copy"),
    "W301": ("the evaluation left no result file", "see `process/stderr.log`; was an output path given?"),
    "W302": ("a file of the harness is cut short or damaged", "look at the file under `harness/`"),
    "W303": ("the harness saved no samples for a task", "run it with sample logging on: `--log_samples`"),
    "W304": ("the number of samples is not what the harness says", "count the lines under `samples/`"),
    "W305": ("the harness's own sample digests say nothing", "use `document_digest` and `prompt_digest`"),
    "W306": ("only part of the dataset was evaluated", "do not report this number as the full task's"),
    "W307": ("the harness does not say which version it was", "see `environment/requirements.lock`"),
    "W308": ("a metric was not computed", "do not report it as a score"),
    "W309": ("part of the task's code is not in the harness's record", "see `source/` for the code that ran"),
    "W310": ("the evaluation failed or was interrupted", "see `process/stderr.log`"),
    "W311": ("the working tree changed while the evaluation ran", "see `tree_after` in `source/`"),
    "W312": ("a file was kept out because it holds a secret", "it still lies where the evaluation wrote it"),
    "W313": ("part of the source was left out", "see `left_out` in `source/`"),
    "W314": ("a stream of the evaluation could not be recorded whole", "see `run` in `bundle.json`"),
    "W315": ("the same sample was saved more than once", "look at the samples before you use the score"),
    "W316": ("the command was not run in a git checkout: its code is not in the bundle", "run it from one"),
    "W317": ("some of what the run left behind is not in the bundle", "it still lies where the evaluation wrote it"),
}


class Finding(Struct, frozen=True, kw_only=True, order=True):
    """One statement of a check: what, how bad, where."""

    code: Annotated[str, Meta(pattern="^[EW][0-9]{3}$", examples=["W303"])]
    severity: Literal["error", "warning"]
    where: Annotated[str, Meta(description="the file, task or record it is about", examples=["harness/results.json"])]
    message: str


def finding(code: str, where: str, detail: str = "") -> Finding:
    """Make a finding of a catalogued code.

    Raises:
        KeyError: the code is not in the catalogue.
    """
    title, _ = CATALOGUE[code]
    message = f"{title}: {detail}" if detail else title
    return Finding(code=code, severity="error" if code.startswith("E") else "warning", where=where, message=message)


def hint(code: str) -> str:
    """Say what to do about a finding of this code."""
    return CATALOGUE[code][1]
