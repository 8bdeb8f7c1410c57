"""Taking out of a command line what must not happen again when it is run again."""

from __future__ import annotations

from collections.abc import Sequence

from reprokit.bundle.record import Output
from reprokit.harnesses.command_lines.options import Given, Option, last, read, spread, with_option, without
from reprokit.harnesses.command_lines.quoting import quoted
from reprokit.harnesses.interface import Local

_REPORTS = "it reports to {}"
REASONS: dict[str, str] = {
    "wandb_args": _REPORTS.format("Weights & Biases"),
    "wandb_config_args": _REPORTS.format("Weights & Biases"),
    "wandb_log_samples": _REPORTS.format("Weights & Biases"),
    "trackio_args": _REPORTS.format("Trackio"),
    "swanlab_args": _REPORTS.format("SwanLab"),
    "swanlab_log_samples": _REPORTS.format("SwanLab"),
    "hf_hub_log_args": "it uploads to the Hugging Face Hub",
    "use_cache": "old responses would be taken for new ones, and new ones written to it",
    "cache_requests": "it reads and writes prompts outside of the workspace, and takes old ones for new",
}
"""The options of lm-eval and lmms-eval that report, upload or cache, and why they are left out."""


def local(argv: Sequence[str], start: int, options: Sequence[Option], place: Output | None) -> Local:
    """Leave out what reports, uploads or caches.

    Args:
        argv: the command line.
        start: the word that starts the harness.
        options: what the harness knows.
        place: where it writes to by an option that is left out; it is then told so by `--output_path`.
    """
    words = spread(argv, start, options)
    given = read(words, start, options)
    dropped = [each for each in given if each.name in REASONS]
    rest = without(words, dropped)
    if place is not None and last(given, "output_path") is None:
        rest = with_option(rest, start, options, "output_path", place.path)
    return Local(
        argv=rest,
        dropped=tuple(dict.fromkeys(f"{quoted(_shown(each))}: {REASONS[each.name]}" for each in dropped)),
        unseen=tuple(each.text for each in given if each.name == "config" and each.text),
    )


def _shown(given: Given) -> str:
    """Name an option in a message; only of a path its value is told, and nothing of `--wandb_args` and its like."""
    return f"--{given.name} {given.text}" if given.name == "use_cache" and "\0" not in given.text else f"--{given.name}"
