"""Several evaluations of one command: which of the new ones is the original's."""

from __future__ import annotations

from collections.abc import Sequence

from reprokit.bundle import canonical
from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Unknown
from reprokit.errors import EvaluationFailedError
from reprokit.harnesses import table

_VARYING = frozenset({
    "model_args", "output_path", "device", "batch_size", "batch_sizes", "use_cache", "limit", "offset", "samples",
    "include_path", "wandb_args", "wandb_config_args", "hf_hub_log_args", "model_dtype", "model_sha", "model_revision",
    "model_num_parameters", "cache_requests", "config", "trackio_args",
})  # fmt: skip
"""Settings that a re-run may have otherwise, or that are told of the model elsewhere."""


def the_original_s(every: Sequence[Bundle], original: Bundle) -> tuple[Bundle, list[str]]:
    """Choose, of the evaluations that one command made, the one that was asked for as the original was.

    Raises:
        EvaluationFailedError: there are several, and none or more than one of them was.
    """
    if len(every) == 1 and not _is_one_of_several(original):
        return every[0], []
    alike = [each for each in every if _asked(each) == _asked(original)]
    if len(alike) == 1:
        return alike[0], [f"of {len(every)} evaluations that ran, the one with the original's tasks and settings"]
    told = "none" if not alike else f"{len(alike)}"
    raise EvaluationFailedError(
        f"the command made {len(every)} evaluations, and {told} of them was asked for as the original was",
        hint="`reprokit list` names them; `reprokit diff` compares one with the original",
    )


def _is_one_of_several(bundle: Bundle) -> bool:
    """Tell whether a run may have had siblings: its command is none of its harness, but what started it."""
    argv = bundle.record.invocation.argv
    if isinstance(argv, Unknown) or bundle.record.harness.name not in {each.name for each in table.HARNESSES}:
        return False
    return table.by_argv([each if isinstance(each, str) else "" for each in argv]) is None


def _asked(bundle: Bundle) -> object:
    """Say what was asked for: tasks, worked examples, models, and the harness's settings."""
    claims = bundle.record.harness.claims
    settings = claims.get("config")
    config = dict(settings) if isinstance(settings, dict) else {}
    resolved = config.pop("resolved_cli_args", None)
    told = {key: value for key, value in config.items() if key not in _VARYING}
    told |= {key: value for key, value in resolved.items() if key not in _VARYING} if isinstance(resolved, dict) else {}
    tasks = sorted((task.name, str(task.version), str(task.n_shot)) for task in bundle.results.tasks)
    models = sorted(part.name for part in bundle.record.subject.models)
    return canonical.line([tasks, models, told])
