"""What a run ran with and on, in a few words that people filter by."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.values import Json, Unknown

KEY_PACKAGES = (
    "accelerate",
    "bitsandbytes",
    "datasets",
    "evaluate",
    "flash-attn",
    "inspect-ai",
    "lm-eval",
    "lmms-eval",
    "numpy",
    "openai",
    "peft",
    "sglang",
    "tokenizers",
    "torch",
    "transformers",
    "vllm",
)
"""The packages whose versions people look for; the whole list is in the bundle."""

_NOTHING = "the bundle has no record of it"


def environment(found: Environment | None, record: Record) -> dict[str, Json]:
    """Summarise the environment; `record` holds what was summarised when the run was captured."""
    if found is None:
        return {name: Unknown(unknown=_NOTHING) for name in ("python", "packages")} | {"learnt_from": "nothing"}
    why = found.packages.unknown if isinstance(found.packages, Unknown) else "nobody saw it"
    unknown = Unknown(unknown=why)
    summary, hardware, torch = record.environment_summary, found.hardware or {}, found.torch
    gpus, container = hardware.get("gpus"), found.container or {}
    return {
        "python": found.interpreter.version if found.interpreter else unknown,
        "packages": _packages(found, record.harness.name),
        "os": summary.get("os", unknown),
        "cpu": summary.get("cpu", unknown),
        "cpu_cores": hardware.get("cpu_cores_usable") or hardware.get("cpu_cores") or unknown,
        "memory_bytes": hardware.get("memory_bytes", unknown),
        "gpu": summary.get("gpu") or _no_gpu(gpus, unknown),
        "gpu_count": len(gpus) if isinstance(gpus, list) else _no_gpu(gpus, unknown),
        "gpu_driver": _driver(gpus),
        "cuda": torch.get("cuda") if torch else Unknown(unknown="torch did not say"),
        "container": container.get("image") or container.get("engine"),
        "determinism": found.determinism or None,
        "learnt_from": found.learnt_from,
    }


def _packages(found: Environment, harness: str) -> dict[str, Json] | Unknown:
    if isinstance(found.packages, Unknown):
        return found.packages
    wanted = {*KEY_PACKAGES, canonicalize_name(harness)}
    versions = {canonicalize_name(package.name): package.version for package in found.packages}
    return {name.replace("-", "_"): version for name, version in sorted(versions.items()) if name in wanted}


def _no_gpu(gpus: Json, unknown: Unknown) -> Unknown | None:
    """Tell why there is no GPU to name: nobody looked, or the machine says of none."""
    if isinstance(gpus, dict):
        said = gpus.get("unknown")
        return Unknown(unknown=said) if isinstance(said, str) else unknown
    return None if isinstance(gpus, list) else unknown


def _driver(gpus: Json) -> str | None:
    if not isinstance(gpus, list):
        return None
    return next(
        (each["driver"] for each in gpus if isinstance(each, dict) and isinstance(each.get("driver"), str)), None
    )
