"""What a check has to say: findings, and the one catalogue of their codes.

A code keeps its meaning for good. `E` breaks a promise of the format, `W` is something a reader should know.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

_REPAIR = "restore it from another copy: `reprokit audit --repair`"

CATALOGUE: dict[str, tuple[str, str]] = {
    "E101": ("a payload file is not what was captured", _REPAIR),
    "E102": ("a payload file is missing", _REPAIR),
    "E103": ("a file that the manifest does not list", "move it out of the bundle: `reprokit audit --repair`"),
    "E104": ("a tag file is missing, changed or not in canonical form", _REPAIR),
    "E105": ("not a regular file, or a path that leads out of the bundle", "do not use this bundle"),
    "E106": ("the bundle is not the one its name or its records say", _REPAIR),
    "E107": (
        "the DVC pointer does not match the bundle",
        "restore the pointer: `reprokit audit --repair`, or `git checkout` in the archive",
    ),
    "E108": (
        "the catalog entry does not match the bundle",
        "restore the entry: `reprokit audit --repair`, or `git checkout` in the archive",
    ),
    "E109": ("an object in the DVC cache is damaged or missing", _REPAIR),
    "E110": (
        "an object on the remote is damaged",
        "`reprokit push --verify` from a whole copy replaces it; until then pull from another remote",
    ),
    "E111": (
        "an object on the remote is missing",
        "`reprokit push` from a whole copy sends it; until then pull from another remote",
    ),
    "E112": (
        "the list of the bundle's files on the remote cannot be accepted",
        "do not use this remote's copy; pull from another remote",
    ),
    "E113": ("what arrived is not the bundle that was captured", "do not use this remote's copy; pull from another"),
    "E116": (
        "a file of the ledger is damaged, or does not belong there",
        "restore it: `reprokit audit --repair`, or `git checkout` in the archive",
    ),
    "E117": ("what is still needed cannot be told, so nothing is removed", "mend it, then try again"),
    "E118": (
        "what does not belong where it lies in the archive",
        "move it out of the archive, or a bundle to the month that its id names",
    ),
    "E119": (
        "a bundle that was registered is gone, and git's HEAD holds nothing of it",
        "take it back from the commit before (see `docs/audit.md`), or list it as `removed` in `[audit]`",
    ),
    "E201": ("a record is not valid JSON", _REPAIR),
    "E202": ("a record does not follow its schema", "capture the run again with this version of reprokit"),
    "E203": ("a sample line does not follow its schema", "capture the run again with this version of reprokit"),
    "E204": ("a record that every bundle holds is missing", _REPAIR),
    "E205": ("a compressed file does not hold what the record says", _REPAIR),
    "E206": ("the record's index of files does not match the payload", _REPAIR),
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
    "W318": ("a score is not the mean of its samples' marks", "recompute it from `samples/` before you report it"),
    "W319": ("a standard error does not follow from the samples", "recompute it from `samples/` before you report it"),
    "W320": (
        "a group's score is no mean of its tasks' scores",
        "recompute it from the tasks' scores in `results.json`",
    ),
    "W321": (
        "a log-probability is not a number, and yet there is a score",
        "do not report the score: the model computed nothing",
    ),
    "W322": ("the model answered nothing", "look at these samples: was the answer cut off, or never asked for?"),
    "W323": ("the model answered every prompt alike", "look at the samples before you use the score"),
    "W324": ("every sample is the same document", "look at how the task reads its dataset"),
    "W325": ("what the harness says cannot all be true", "count the samples yourself before you use the score"),
    "W326": (
        "results that another process wrote at the same time were not taken",
        "let every run write to a folder of its own",
    ),
    "W330": ("a model's revision is unknown or not pinned", "name a full commit: `revision=…` in `--model_args`"),
    "W331": ("a dataset's revision is unknown or not pinned", "name a full commit: `revision:` in the task"),
    "W332": ("sources disagree about what was evaluated", "see `subject` in `bundle.json` for what each says"),
    "W333": ("a file of the model or data changed after the run began", "its digest may not be of what the run read"),
    "W334": ("a server could not be asked what it serves", "note its model and version yourself: `--note`"),
    "W335": ("some files of a model or dataset have no digest", "see `files` of the part in `bundle.json` for why"),
    "W337": (
        "what a submodule held besides its commit is not in the bundle",
        "commit it in the submodule, and push it",
    ),
    "W338": ("code was loaded from folders that are no git checkout", "keep it in one, or install it as a package"),
    "W339": ("changes to files that may hold credentials were left out of the source", "see `left_out` in `source/`"),
    "W340": ("a checkout that code came from is not in the bundle", "see that git can read it: `git -C DIR status`"),
    "W341": ("code was loaded from files of a checkout that git does not keep", "commit them, or do not ignore them"),
    "W342": (
        "an object on the remote was damaged, and was replaced",
        "find out why: other objects there may be damaged too (`reprokit push --all --verify`)",
    ),
    "W343": (
        "the remote listed the bundle as complete while files of it were missing; they were sent",
        "clones that pulled meanwhile failed; let them pull again",
    ),
    "W345": (
        "the run was asked to stop before its end",
        "what is here is what it had written until then: run it again, or resume it",
    ),
    "W346": (
        "reprokit was killed before the capture was done; it was finished later, from what had been noted",
        "what nobody saw is `unknown` in `bundle.json`; what the run wrote was taken as it lay there then",
    ),
    "W347": (
        "a result file was there before the run began and is not of this run",
        "it was not taken: let every run write a file of its own, or remove the old one first",
    ),
    "W349": ("a file was written to while it was captured", "capture it again when the evaluation is over"),
    "W350": ("a key that the mapping names is in no sample", "mend `[script]` in `reprokit.toml`"),
    "W351": ("something the program handed over could not be recorded", "see `docs/own-program.md` for what can be"),
    "W352": ("a metric was computed by reprokit: the mean of the samples' scores", "`run.metric` gives your own"),
    "W353": (
        "which media some samples were about is not known for certain",
        "compare these samples by their documents only",
    ),
    "W354": (
        "some evaluations that the command started left no results",
        "see `process/stderr.log`; was an output path given to each?",
    ),
    "W357": ("a setting that reprokit does not know, and does not follow", "mend its name, or remove it"),
    "W358": (
        "a label in the ledger that nobody can have given",
        "it is left out; look who wrote it: `git log` of the file",
    ),
    "W359": (
        "some wheels are not in the bundle",
        "rebuilding the environment needs an index for them; see `environment/requirements.lock`",
    ),
    "W401": (
        "there are fewer whole copies than there should be",
        "restore what is damaged (`reprokit audit --repair`), `reprokit pull` it here, or `reprokit push` it elsewhere",
    ),
    "W402": ("a copy that the policy asks for is not there", "`reprokit push`, to the remote or mirror that is named"),
    "E403": (
        "the copy on a mirror is not the bundle",
        "delete that version on the mirror, then `reprokit push --mirror NAME ID` sends the bundle again",
    ),
    "W411": (
        "a commit cannot be had from its remote any more",
        "push it there again, or keep a clone for `reproduce --source`",
    ),
    "W412": (
        "the revision of a model or dataset is not served any more",
        "keep the copy in your cache: no other can be had",
    ),
    "W413": ("a commit is not held by Software Heritage", "ask it to save the repository, if that is public"),
    "W421": (
        "a package is not served any more with the files that were known",
        "capture with `--with-wheels` where it is still installed",
    ),
    "W422": ("a package was taken back by its makers", "it can still be installed by its exact version; read why"),
    "W423": ("the Python of the run gets no more security fixes", "rebuild it where nothing else is at risk"),
    "W424": (
        "the index has no wheel of a package for the machine of the run",
        "`reproduce --allow-sdist` builds it; `capture --with-wheels` would have kept it",
    ),
    "W431": (
        "a dataset was read by a script, which later versions of its library refuse to run",
        "reproduce it with the recorded versions only; keep the data itself",
    ),
    "W432": ("the model behind an API is retired", "it cannot be run again: the saved samples are what is left"),
    "W433": (
        "a file can be read by running code only, or by one program",
        "save what it holds as JSON, CSV or text beside it in the next run",
    ),
    "E441": ("what looks like a secret is in the bundle", "revoke it now: copies may be anywhere"),
    "E451": ("a signature does not fit the bundle", "look who wrote it; remove the file if nobody knows"),
    "W452": ("a signature is by a key that does not count", "see `[trust]` in your own settings, and the keys revoked"),
    "W453": ("it is not signed, and the policy asks for it", "`reprokit sign`"),
    "W461": ("it was not read whole in the time that the policy sets", "`reprokit audit`, without `--since`"),
    "W462": (
        "it was not reproduced in the time that the policy sets",
        "`reprokit reproduce`, or `audit --drill N --drill-tier rerun`",
    ),
    "W463": ("it did not come out the same when it was last reproduced", "see `reprokit show`, and reproduce it again"),
    "W464": ("a reproduction of the drill came to no verdict", "see why: `reprokit reproduce`, with the same id"),
    "E490": ("the audit of a bundle could not be finished", "see the reason; the other bundles were audited"),
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
