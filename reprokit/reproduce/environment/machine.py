"""How the machine of a re-run differs from the one that was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reprokit.bundle.environment import Environment
from reprokit.bundle.values import Unknown
from reprokit.probes import hardware
from reprokit.reproduce.delta import Delta

UNKNOWN = "unknown"

_NOT_RECORDED = "the run's machine is not recorded"


@dataclass(frozen=True, kw_only=True)
class _Fact:
    """One thing about a machine: what it is or, where nobody knows, why."""

    value: str | None
    reason: str = ""


def present_machine(environ: Mapping[str, str]) -> Environment:
    """Look at this machine: its operating system and its hardware. No package is looked at, nor what torch says.

    `environ` is what the driver's program is run with.
    """
    return Environment(
        learnt_from="nothing",
        packages=Unknown(unknown="only the machine was looked at"),
        platform=hardware.operating_system(),
        hardware=hardware.machine(environ),
    )


def machine_deltas(recorded: Environment, here: Environment) -> list[Delta]:
    """Compare two machines: system, libc, processor, GPUs, driver and, where torch was asked on both, CUDA.

    What is known of neither is left out; what is known of one only is `unknown` on the other, with the reason.
    """
    if recorded.platform is None and recorded.hardware is None:
        system = here.platform or {}
        described = " ".join(system[key] for key in ("release", "machine") if key in system) or UNKNOWN
        return [Delta(what="machine", recorded=UNKNOWN, here=described, reason=_NOT_RECORDED)]
    mine, theirs = _facts(here), _facts(recorded)
    if not here.torch or not recorded.torch:
        of_torch = _of_torch({})
        mine, theirs = ({what: facts[what] for what in facts if what not in of_torch} for facts in (mine, theirs))
    return list(_differing(theirs, mine))


def _differing(recorded: Mapping[str, _Fact], here: Mapping[str, _Fact]) -> Iterator[Delta]:
    for what, was in recorded.items():
        now = here[what]
        if was.value == now.value:
            continue
        reason = "" if was.value is not None and now.value is not None else was.reason or now.reason
        yield Delta(what=what, recorded=was.value or UNKNOWN, here=now.value or UNKNOWN, reason=reason)


def _facts(environment: Environment) -> dict[str, _Fact]:
    system: Mapping[str, str] = environment.platform or {}
    facts: Mapping[str, Any] = environment.hardware or {}
    return {
        "operating system": _Fact(value=system.get("release") or system.get("system")),
        "libc": _Fact(value=system.get("libc")),
        "architecture": _Fact(value=system.get("machine")),
        "processor": _Fact(value=_text(facts.get("cpu"))),
        "GPU": _gpus(facts.get("gpus"), environment.torch),
        "GPU driver": _drivers(facts.get("gpus")),
        **_of_torch(environment.torch),
    }


def _of_torch(torch: Mapping[str, Any]) -> dict[str, _Fact]:
    return {
        "CUDA of torch": _Fact(value=_text(torch.get("cuda"))),
        "ROCm of torch": _Fact(value=_text(torch.get("hip"))),
        "cuDNN": _Fact(value=_text(torch.get("cudnn"))),
    }


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _gpus(listed: Any, torch: Mapping[str, Any]) -> _Fact:
    """Count the GPUs by model; where the driver lists none, those that torch saw."""
    devices = torch.get("devices")
    match listed:
        case [*gpus]:
            names = [_text(each.get("name")) or UNKNOWN for each in gpus if isinstance(each, dict)]
        case _ if isinstance(devices, list):
            names = [str(each) for each in devices]
        case {"unknown": str(reason)}:
            return _Fact(value=None, reason=reason)
        case _:
            return _Fact(value=None, reason="GPUs were not looked at")
    counted = sorted((names.count(name), name) for name in set(names))
    return _Fact(value=", ".join(f"{count} x {name}" for count, name in counted) or "none")


def _drivers(listed: Any) -> _Fact:
    match listed:
        case [*gpus]:
            found = {_text(each.get("driver")) for each in gpus if isinstance(each, dict)}
            return _Fact(value=", ".join(sorted(each for each in found if each)) or None, reason="there is no GPU")
        case {"unknown": str(reason)}:
            return _Fact(value=None, reason=reason)
        case _:
            return _Fact(value=None, reason="GPUs were not looked at")
