"""How likely a change moves a score, area by area: what is special to an area, and what holds for the rest of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from reprokit.bundle.values import Json
from reprokit.diff.difference import Effect
from reprokit.diff.setup.effect_rule import EffectRule
from reprokit.diff.setup.package_rules import PACKAGE_RULES, patch_release
from reprokit.diff.setup.variable_rules import VARIABLE_RULES, for_determinism


def _rule(
    name: str, area: str, effect: Effect, pattern: str, why: str, when: Callable[[Json, Json], bool] | None = None
) -> EffectRule:
    return EffectRule(name=name, area=area, field=re.compile(pattern, re.DOTALL), effect=effect, why=why, when=when)


_LAUNCHERS = re.compile(
    r"(.*/)?(accelerate|bash|conda|deepspeed|env|hatch|micromamba|mpiexec|mpirun|nice|nohup|pdm|pixi|poetry|python[\d.]*|"
    r"sh|srun|stdbuf|time|timeout|torchrun|uvx?)"
)


def _started_by_a_launcher(before: Json, after: Json) -> bool:
    return any(isinstance(value, str) and _LAUNCHERS.fullmatch(value) for value in (before, after))


_ASKED = (
    _rule(
        "launching program",
        "invocation",
        "possible",
        "program",
        "another program starts the evaluation, perhaps the same one",
        _started_by_a_launcher,
    ),
    _rule("program", "invocation", "likely", "program|-m", "another program evaluates"),
    _rule("argument", "invocation", "likely", r"argument \d+( \(\d+\))?", "another command, script or file is named"),
    _rule(
        "file of options",
        "invocation",
        "possible",
        "--config",
        "another file of options; what the harness made of them is compared",
    ),
    _rule(
        "number of processes",
        "launcher",
        "possible",
        r".*(WORLD_SIZE|NTASKS|COMM_WORLD_SIZE|NUM_NODES|_GPUS|_GPUS_.*|"
        r"NUM_PROCESSES|NUM_MACHINES)",
        "another number of processes shares out samples and batches differently",
    ),
    _rule(
        "launcher's precision",
        "launcher",
        "likely",
        ".*(MIXED_PRECISION|DTYPE|FP8).*",
        "the launcher sets the precision",
    ),
    _rule("array index", "launcher", "possible", ".*ARRAY_TASK_ID", "a script may choose by it what to evaluate"),
)

_HARNESS = (
    _rule(
        "harness version",
        "harness",
        "likely",
        "version",
        "prompts and scoring change between releases, even under the same task version",
    ),
    _rule(
        "samples' members",
        "harness",
        "likely",
        "field .*",
        "scores and answers are read from other members of the samples",
    ),
    _rule(
        "claimed harness version",
        "claims",
        "likely",
        r"(.*\.)?(lm_eval|lmms_eval|inspect_ai)(_version)?",
        "the harness says it is another version of itself",
    ),
    _rule(
        "claimed version", "claims", "possible", r"(.*\.)?\w+_version", "the harness says it ran with another version"
    ),
    _rule(
        "environment in words",
        "claims",
        "possible",
        "pretty_env_info",
        "software and machine in the harness's words; what the bundle records of them is compared one by one",
    ),
    _rule("names in results", "claims", "unlikely", r"results\..*\.(alias|name)", "says how a row is headed"),
    _rule("branch", "claims", "unlikely", r"(.*\.)?git_branch", "a branch is a name for a commit"),
    _rule("outcome", "claims", "likely", r"status|invalidated|error(\..*)?", "the harness says it ended otherwise"),
)

_TASKS = (
    _rule("shots of a task", "tasks", "likely", ".*, shots", "another number of worked examples stands in each prompt"),
    _rule(
        "version of a task", "tasks", "likely", ".*, version", "another version of the task asks or scores differently"
    ),
    _rule("items of a task", "tasks", "likely", ".*, samples available", "the dataset holds another number of items"),
    _rule(
        "names of a task",
        "tasks",
        "unlikely",
        r".*, definition (task|task_alias|tag|group|group_alias)(\..*)?",
        "names the task and changes nothing in it",
    ),
    _rule(
        "metric's direction",
        "tasks",
        "unlikely",
        r".*, definition .*higher_is_better",
        "says which way is better, not how much it is",
    ),
)

_SUBJECT = (
    _rule(
        "text for people",
        "models",
        "unlikely",
        r".*, file (.*/)?((README|LICENSE|NOTICE)[^/]*|[^/]*\.md|\.gitattributes)",
        "a text for people, which no model reads",
    ),
    _rule(
        "template or tokenizer file",
        "models",
        "likely",
        r".*, file (.*/)?(tokenizer.*|(special|added)_tokens.*|vocab.*|merges.*|chat_template.*|.*\.(jinja|tiktoken))",
        "text is wrapped or cut into tokens by it",
    ),
    _rule("code of a model", "models", "likely", r".*, file .*\.py", "the model's own code is another"),
    _rule(
        "file of a model", "models", "likely", ".*, file .*", "weights or settings of the model are not the same bytes"
    ),
    _rule(
        "prompt text",
        "models",
        "likely",
        ".*, (chat template|system prompt) of .*",
        "every prompt is wrapped in another text",
    ),
    _rule(
        "server",
        "models",
        "possible",
        ".*, server.*",
        "another server, or version of one, may batch and sample differently",
    ),
)

_SOURCE = (
    _rule("tree", "source", "likely", "[^,]*, tree", "other code was run"),
    _rule("submodule", "source", "likely", r"[^,]*, submodules\..*", "other code lies in a submodule"),
    _rule(
        "unsteady tree",
        "source",
        "possible",
        "[^,]*, changed during the run",
        "some code may have been read after it was changed",
    ),
    _rule("untracked", "source", "possible", "[^,]*, left out .*", "a file that was not recorded may have been read"),
    _rule("uncommitted", "source", "possible", "[^,]*, dirty", "code that is in no commit is in the tree"),
    _rule("name of a tree", "source", "unlikely", "[^,]*, (commit|operation)", "the tree says what code it was"),
)

_MACHINE = (
    _rule(
        "python, patch release",
        "python",
        "unlikely",
        "version",
        "a patch release of Python mends and adds nothing",
        patch_release,
    ),
    _rule(
        "python",
        "python",
        "possible",
        "version|implementation",
        "another Python brings another standard library, and mostly the same answers",
    ),
    _rule(
        "torch seed", "torch", "possible", "initial_seed", "matters where torch draws: sampled answers, dropped units"
    ),
    _rule("torch threads", "torch", "unlikely", "threads", "splits sums on a processor otherwise"),
    _rule(
        "kind of machine",
        "platform",
        "possible",
        "system|machine",
        "another kind of processor or system computes differently",
    ),
    _rule(
        "GPU",
        "hardware",
        "possible",
        r"gpus(\.\d+\.(name|index))?",
        "another type or number of GPUs runs other kernels, which round differently",
    ),
    _rule(
        "processor", "hardware", "possible", "cpu", "on a processor without a GPU, other instructions round differently"
    ),
    _rule("driver", "hardware", "unlikely", r"gpus\.\d+\.driver", "a driver passes on what libraries compute"),
    _rule(
        "image",
        "container",
        "possible",
        "image|imageid|(APPTAINER|SINGULARITY)_.*",
        "an image may hold other libraries; of these only Python's packages are compared",
    ),
)

AREA_RULES: tuple[EffectRule, ...] = (
    *_ASKED,
    *VARIABLE_RULES,
    *for_determinism(),
    *_HARNESS,
    *_TASKS,
    *_SUBJECT,
    *_SOURCE,
    *PACKAGE_RULES,
    *_MACHINE,
)

DEFAULTS: dict[str, tuple[Effect, str]] = {
    "run": ("likely", "a run that did not end well may lack samples or scores"),
    "invocation": ("possible", "what this option does is not known"),
    "inputs": ("likely", "the file that the command names holds something else"),
    "working directory": ("possible", "relative paths lead elsewhere"),
    "environment variables": ("possible", "what this variable does is not known"),
    "determinism": ("possible", "a variable that steers seeds or determinism"),
    "launcher": ("unlikely", "says where and as what the processes were started"),
    "harness": ("likely", "another program asks and scores in its own way"),
    "claims": ("possible", "the harness says so, and what it does is not known"),
    "tasks": ("likely", "other tasks, or tasks that are defined otherwise"),
    "models": ("likely", "other weights, or another revision of them, answer differently"),
    "datasets": ("likely", "other items, or another revision of them, are asked"),
    "source": ("possible", "something about the code is not the same"),
    "packages": ("possible", "what this package does is not known"),
    "python": ("unlikely", "how the interpreter was found, not what it is"),
    "modules": ("possible", "code that belongs to no package was loaded"),
    "loaded from cache": ("likely", "another revision of a model or dataset was read"),
    "torch": ("possible", "how torch was built or set, which rounds differently"),
    "platform": ("unlikely", "what the system is built of hardly reaches the numbers"),
    "hardware": ("unlikely", "how much there is of it sets the pace, not the answers"),
    "container": ("unlikely", "what kind of container it was does not change what is in it"),
}
"""The effect and the reason for what no rule speaks of, by area."""
