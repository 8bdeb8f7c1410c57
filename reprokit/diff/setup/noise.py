"""What may differ between two runs of the same evaluation: the rules, as data, each with its reason.

A *field rule* ignores a fact whatever it says. A *text rule* ignores a piece of a text, and the rest of it must be the
same. Rules name what they ignore as narrowly as they can: a seed, a limit or a version is never noise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import IGNORECASE, MULTILINE


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """Ignores the facts of an area whose whole name matches."""

    name: str
    area: str
    field: re.Pattern[str]


@dataclass(frozen=True, kw_only=True)
class TextRule:
    """Ignores the pieces of any text that match."""

    name: str
    pattern: re.Pattern[str]
    replacement: str


PLACE = "place"
OUTPUT = "output"
PROGRAM = "program"
ORDER = "order"
EDITABLE = "editable"
GIT_CLAIM = "git claim"
PROBE = "probe"
RETOLD = "retold"
FOLLOWS = "follows"

REASONS: dict[str, str] = {
    PLACE: "where a checkout, an environment or a working directory lies does not change what is in it",
    OUTPUT: "where results are written does not change them",
    PROGRAM: "where a program is installed does not change it; the packages and the source are compared",
    ORDER: "options mean the same in any order",
    EDITABLE: "an editable install lists paths, not code; its checkout is compared",
    GIT_CLAIM: "the harness's short note of a commit; the checkouts themselves are compared",
    PROBE: "reprokit's own, put there to observe the run",
    RETOLD: "says again, with the same values on both sides, what another change of the set-up says",
    FOLLOWS: "follows from another change of the set-up, which is told",
    "time": "when it ran and how long it took",
    "address": "where an object lay in memory",
    "id": "names one run or one process",
    "host": "names one machine; what the machine is made of is compared",
    "temporary": "a folder with a name made up for one run",
    "installed": "where packages are installed; their versions are compared",
    "cache": "where caches and temporary files lie; models and datasets are compared by revision",
    "session": "belongs to the shell or terminal, not to the evaluation",
    "derived": "follows from the samples or the model's name, which are compared",
    "measured": "measured during the run, not set for it",
    "observation": "how the run was watched, not how it went",
    "clone": "a clone has its own branch and remotes; commit and tree are compared",
}


def _field(name: str, area: str, pattern: str) -> FieldRule:
    return FieldRule(name=name, area=area, field=re.compile(pattern, IGNORECASE))


# A claim's name is its path in the harness's file; only its last part is looked at.
_LAST = r"(.*\.)?"
# A part of a name, between dots, spaces and underscores.
_PART = r"(.*[._ ])?({})([._ ].*)?"

FIELD_RULES: tuple[FieldRule, ...] = (
    _field(
        "time", "claims", _LAST + "(date|start_time|end_time|total_evaluation_time_seconds|total_time|working_time)"
    ),
    _field("time", "claims", _LAST + "(created|started_at|completed_at)"),
    _field(OUTPUT, "claims", _LAST + r"(output_path|log_dir|output_dir|(hf_hub_log_args|wandb_args)(\..*)?)"),
    _field("id", "claims", _LAST + "(eval_id|run_id|task_id|uuid|pid)"),
    _field(
        "derived", "claims", r"(task_hashes|n-samples)(\..*)?|(.*\.)?(model_name_sanitized|sample_(len|count(\..*)?))"
    ),
    _field("measured", "claims", r"(efficiency|throughput|usage)(\..*)?"),
    _field(PLACE, "claims", _LAST + "upper_git_hash"),
    _field("observation", "run", r"origin|streams(\..*)?"),
    _field("time", "run", "started|ended"),
    _field("host", "run", "host"),
    _field("measured", "run", r"resources(\..*)?"),
    _field("id", "launcher", _PART.format("job_?id|step_?id|pid|run_id|restart_count")),
    _field("host", "launcher", _PART.format("nodelist|node_list|hostname|host|addr|address|port|submit")),
    _field(PROBE, "environment variables", "REPROKIT_.*"),
    _field(
        "cache",
        "environment variables",
        "((HF_(HUB|DATASETS|ASSETS|MODULES)|HUGGINGFACE_HUB|HUGGINGFACE_ASSETS|TRANSFORMERS|PYTORCH_TRANSFORMERS)_CACHE)"
        "|XDG_CACHE_HOME|TRITON_CACHE_DIR|VLLM_CACHE_ROOT|LM_HARNESS_CACHE_PATH|LMMS_EVAL_HOME|CUDA_CACHE_PATH",
    ),
    _field("cache", "environment variables", "HF_HOME|TORCH_HOME|XDG_RUNTIME_DIR|TMPDIR|TMP|TEMP|HOME"),
    _field(PLACE, "environment variables", "VIRTUAL_ENV|CONDA_PREFIX|PWD|OLDPWD"),
    _field("session", "environment variables", "SHLVL|_|TERM|COLUMNS|LINES|USER|LOGNAME|SSH_.*|VIRTUAL_ENV_PROMPT"),
    _field("id", "environment variables", "SLURM_((ARRAY_)?JOB_?ID|STEP_?ID|TASK_PID)|WANDB_RUN_ID"),
    _field("host", "environment variables", "HOSTNAME|SLURM_.*(NODELIST|NODENAME|HOST)|MASTER_(ADDR|PORT)"),
    _field(PLACE, "python", "executable|prefix|base prefix"),
    _field("observation", "python", "processes|learnt from|other interpreters|hosts"),
    _field("host", "platform", "node|host|hostname"),
    _field("id", "container", _LAST + "(id|container_id|hostname)"),
    _field("id", "hardware", _PART.format("uuid|serial|bus_id|pci|minor_number")),
    _field("measured", "hardware", _PART.format("mhz|bogomips|available|free|used|utili[sz]ation|load|uptime")),
    _field("host", "hardware", _PART.format("hostname")),
    _field("id", "torch", _PART.format("uuid|pci")),
    _field("measured", "torch", _PART.format("allocated|reserved")),
    _field("clone", "source", r"[^,]*, (branch|on remote|remotes(\..*)?)"),
    _field(PLACE, "source", "[^,]*, (root|name)"),
)

TEXT_RULES: tuple[TextRule, ...] = (
    # Python writes `<function f at 0x7f…>`; a number written in base sixteen stands elsewhere and is kept.
    TextRule(name="address", pattern=re.compile(r"\bat 0x[0-9a-fA-F]+"), replacement="at 0x…"),
    TextRule(
        name="installed",
        pattern=re.compile(r"(?:/[^\s\"'=,:;/]+)*/(?:site|dist)-packages/"),
        replacement="<packages>/",
    ),
    TextRule(
        name="cache",
        pattern=re.compile(r"(?:/[^\s\"'=,:;/]+)*/huggingface/(?=hub/|modules/|datasets/)"),
        replacement="<cache>/",
    ),
    # The names that Python's `tempfile` makes up: eight characters after `tmp`.
    TextRule(
        name="temporary",
        pattern=re.compile(r"(?:/var)?/(?:tmp|dev/shm)/tmp[a-z0-9_]{8}(?![a-z0-9_])"),
        replacement="<temporary>",
    ),
    TextRule(name="id", pattern=re.compile(r"\bpid[=: ]\d+", IGNORECASE), replacement="pid …"),
    # `lscpu` gives the clock rate of the moment.
    TextRule(name="measured", pattern=re.compile(r"^.*\b(?:MHz|BogoMIPS)\b.*$", MULTILINE), replacement=""),
)


def field_rule(area: str, name: str) -> str | None:
    """Name the rule that ignores a fact whatever it says, if there is one."""
    return next((rule.name for rule in FIELD_RULES if rule.area == area and rule.field.fullmatch(name)), None)


def without_noise(text: str) -> tuple[str, frozenset[str]]:
    """Take the noise out of a text; also name the rules that found some."""
    used = set()
    for rule in TEXT_RULES:
        text, found = rule.pattern.subn(rule.replacement, text)
        if found:
            used.add(rule.name)
    return text, frozenset(used)


def reason(rules: list[str]) -> str:
    """Say why rules ignore what they ignore."""
    return "; ".join(REASONS[rule] for rule in rules)
