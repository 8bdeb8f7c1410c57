"""The machine an evaluation runs on: operating system, processor, memory, GPUs, container."""

from __future__ import annotations

import csv
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reprokit.bundle.values import Json
from reprokit.probes.text_file import read_text

PATIENCE = 5.0
"""Seconds the driver's program is given to list the GPUs."""

GPU_QUERY = "index,name,uuid,memory.total,driver_version"
IMAGE_VARIABLES = ("APPTAINER_CONTAINER", "APPTAINER_NAME", "SINGULARITY_CONTAINER", "SINGULARITY_NAME")
ROOT = Path("/")

_CONTAINER = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_UNLIMITED = 1 << 60


def operating_system() -> dict[str, str]:
    """Name the operating system: `system`, `kernel`, `machine`, and `release` and `libc` where they are known."""
    names = os.uname()
    facts = {"system": names.sysname, "kernel": names.release, "machine": names.machine}
    with suppress(OSError, KeyError):
        facts["release"] = platform.freedesktop_os_release()["PRETTY_NAME"]
    with suppress(OSError, ValueError):
        facts["libc"] = os.confstr("CS_GNU_LIBC_VERSION") or ""
    return {name: value for name, value in sorted(facts.items()) if value}


def machine(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, Json]:
    """Describe the hardware, memory in bytes: what is not known is left out, but `gpus` says why it is not.

    A GPU has `index`, `name`, `uuid`, `memory_bytes` and `driver`. All GPUs of the machine are listed; which of them
    the evaluation was allowed to use, `CUDA_VISIBLE_DEVICES` says.
    """
    memory = _first(r"^MemTotal:\s*(\d+) kB$", root / "proc/meminfo")
    facts: dict[str, Json] = {
        "cpu": _first(r"^(?:model name|cpu model|Hardware)\s*:\s*(.+)$", root / "proc/cpuinfo") or platform.processor(),
        "cpu_cores": os.cpu_count(),
        "cpu_cores_usable": _usable_cores(),
        "memory_bytes": int(memory) * 1024 if memory else None,
        "memory_limit_bytes": _memory_limit(root),
        "gpus": _gpus(environ),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def container(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, str] | None:
    """Tell what container this is and of which image, as far as that shows from inside; `None` outside of one."""
    facts: dict[str, str] = {}
    if (root / ".dockerenv").exists():
        facts["engine"] = "docker"
    podman = read_text(root / "run/.containerenv")
    if podman is not None:
        facts |= {"engine": "podman", **dict(re.findall(r'^(engine|image|imageid)="(.*)"$', podman, re.MULTILINE))}
    for name in IMAGE_VARIABLES:
        if environ.get(name):
            facts.setdefault("engine", name.partition("_")[0].lower())
            facts[name] = environ[name].encode("utf-8", errors="backslashreplace").decode("utf-8")
    if environ.get("KUBERNETES_SERVICE_HOST"):
        facts["orchestrator"] = "kubernetes"
    identity = _CONTAINER.search(read_text(root / "proc/self/cgroup") or "")
    if identity:
        facts["id"] = identity[1]
    return facts or None


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _memory_limit(root: Path) -> int | None:
    """Read the limit that a container or a scheduler sets, in bytes; `None` when there is none."""
    for file in ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"):
        written = (read_text(root / file) or "").strip()
        if written.isdecimal() and int(written) < _UNLIMITED:
            return int(written)
    return None


def _gpus(environ: Mapping[str, str]) -> Json:
    program = shutil.which("nvidia-smi", path=environ.get("PATH", os.defpath))
    if program is None:
        return {"unknown": "`nvidia-smi` is not there"}
    try:
        done = subprocess.run(
            [program, f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"unknown": "`nvidia-smi` did not answer in time"}
    except OSError as error:
        return {"unknown": f"`nvidia-smi` could not be run: {error.strerror}"}
    if done.returncode != 0:
        return {"unknown": f"`nvidia-smi` ended with status {done.returncode}"}
    rows = csv.reader(done.stdout.decode("utf-8", errors="replace").splitlines(), skipinitialspace=True)
    return [_gpu(row) for row in rows if len(row) == len(GPU_QUERY.split(","))]


def _gpu(row: list[str]) -> dict[str, Json]:
    index, name, uuid, memory, driver = (cell.strip() for cell in row)
    facts: dict[str, Json] = {"index": index, "name": name, "uuid": uuid, "driver": driver}
    if memory.isdecimal():
        facts["memory_bytes"] = int(memory) << 20
    return facts


def _first(pattern: str, file: Path) -> str | None:
    found = re.search(pattern, read_text(file) or "", re.MULTILINE)
    return found[1].strip() if found else None
