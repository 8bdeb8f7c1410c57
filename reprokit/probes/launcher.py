"""What started the evaluation's processes: SLURM and other schedulers, torchrun, accelerate, MPI."""

from __future__ import annotations

from collections.abc import Mapping

from reprokit.probes.secrets import Secrets, redact_string
from reprokit.probes.variables import looks_secret

NAMES = frozenset(
    {
        "GROUP_RANK",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "LSB_JOBID",
        "MASTER_ADDR",
        "MASTER_PORT",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "PBS_JOBID",
        "RANK",
        "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_CLUSTER_NAME",
        "SLURM_CPUS_PER_TASK",
        "SLURM_GPUS",
        "SLURM_GPUS_ON_NODE",
        "SLURM_GPUS_PER_NODE",
        "SLURM_JOB_ID",
        "SLURM_JOB_NODELIST",
        "SLURM_JOB_NUM_NODES",
        "SLURM_JOB_PARTITION",
        "SLURM_LOCALID",
        "SLURM_MEM_PER_NODE",
        "SLURM_NODEID",
        "SLURM_NODELIST",
        "SLURM_NTASKS",
        "SLURM_PROCID",
        "SLURM_RESTART_COUNT",
        "SLURM_STEP_ID",
        "TORCHELASTIC_RESTART_COUNT",
        "TORCHELASTIC_RUN_ID",
        "WORLD_SIZE",
    }
)
PREFIXES = ("ACCELERATE_",)


def observe(environ: Mapping[str, str], secrets: Secrets | None = None) -> dict[str, str]:
    """Give the launcher's variables, by name; empty when the evaluation was started by hand.

    Where a secret stood in a value, `{"secret": "NAME"}` stands.
    """
    known = secrets or Secrets()
    names = (name for name in sorted(environ) if name in NAMES or name.startswith(PREFIXES))
    return {
        name: redact_string(environ[name], known).encode("utf-8", errors="backslashreplace").decode("utf-8")
        for name in names
        if not looks_secret(name)
    }
