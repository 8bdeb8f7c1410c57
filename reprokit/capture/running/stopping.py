"""What is known of a run that somebody asked to stop before its end: a person, a scheduler, a machine going down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reprokit import clock
from reprokit.bundle.finding import Finding, finding
from reprokit.capture.running.process import Ended

_TERMINATED = "SIGTERM"
_SHELL_SAYS_TERMINATED = 128 + 15
_JOBS = (
    ("SLURM array job", ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")),
    ("SLURM job", ("SLURM_JOB_ID",)),
    ("PBS job", ("PBS_JOBID",)),
    ("LSF job", ("LSB_JOBID",)),
)


def was_stopped(ended: Ended) -> bool:
    """Tell whether the run was asked to stop: by a signal that came to us, or that only it can have had."""
    return bool(ended.asked) or _was_terminated(ended)


def is_pressed(ended: Ended) -> bool:
    """Tell whether a program asked for the end, as schedulers do: what is not stopped soon is killed then.

    Who presses a key waits.
    """
    return any(request.by_process for request in ended.asked) or _was_terminated(ended)


def ending(ended: Ended, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Say how a run ended: what could not be recorded of it, whether it was asked to stop, and whether it failed."""
    told = (*ended.findings, *_about_request(ended, environ))
    if ended.exit_code == 0:
        return told
    how = f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit_code}"
    return (*told, finding("W310", "bundle.json", how))


def _about_request(ended: Ended, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say that a run was asked to stop, by which signal, how long before its end, and in which job."""
    if not was_stopped(ended):
        return
    if ended.asked:
        first = ended.asked[0]
        waited = (clock.parse(ended.ended) - clock.parse(first.time)).total_seconds()
        told = f"`{first.signal}`, {max(0.0, waited):.1f} s before its end"
        again = len(ended.asked) - 1
        told += f", and {again} more" if again else ""
    else:
        told = f"`{_TERMINATED}`, which it was sent alone"
    job = _job(environ)
    yield finding("W345", "bundle.json", f"{told}; in {job}" if job else told)


def _was_terminated(ended: Ended) -> bool:
    return ended.signal == _TERMINATED or ended.exit_code == _SHELL_SAYS_TERMINATED


def _job(environ: Mapping[str, str]) -> str | None:
    for title, names in _JOBS:
        if all(environ.get(name) for name in names):
            restarts = environ.get("SLURM_RESTART_COUNT", "0")
            again = f", restarted {restarts} times" if title.startswith("SLURM") and restarts != "0" else ""
            return f"{title} {'_'.join(environ[name] for name in names)}{again}"
    return "a Kubernetes pod" if environ.get("KUBERNETES_SERVICE_HOST") else None
