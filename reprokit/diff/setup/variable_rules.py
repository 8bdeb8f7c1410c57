"""How likely an environment variable moves a score: as it was set, and as it was when the evaluation ended."""

from __future__ import annotations

import re
from collections.abc import Callable

from reprokit.bundle.values import Json
from reprokit.diff.difference import Effect
from reprokit.diff.setup.effect_rule import EffectRule

_AREA = "environment variables"


def _variable(
    name: str, effect: Effect, pattern: str, why: str, when: Callable[[Json, Json], bool] | None = None
) -> EffectRule:
    return EffectRule(name=name, area=_AREA, field=re.compile(pattern), effect=effect, why=why, when=when)


def as_many_devices(before: Json, after: Json) -> bool:
    """Tell whether two lists of devices, such as `0,1` and `2,3`, are as long as each other."""
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    return before.count(",") == after.count(",") and {before, after}.isdisjoint({"", "-1", "all", "none", "void"})


VARIABLE_RULES: tuple[EffectRule, ...] = (
    _variable(
        "talk",
        "unlikely",
        r".*(VERBOSITY|LOG_LEVEL|LOGGING\w*|_LOGS?|TELEMETRY|PROGRESS_BARS?|DO_NOT_TRACK|NO_USAGE_STATS|USAGE_SOURCE|"
        r"WARNINGS?|_DEBUG|DEBUG_\w+|TRACE\w*)|TF_CPP_\w+|LMEVAL_HASHMM|VLLM_NO_\w+",
        "says what is logged and sent home, not what is computed",
    ),
    _variable(
        "other devices",
        "unlikely",
        r"(CUDA|NVIDIA|HIP|ROCR|GPU)_VISIBLE_DEVICES",
        "names as many other devices of the machine",
        as_many_devices,
    ),
    _variable(
        "devices",
        "possible",
        r"(CUDA|NVIDIA|HIP|ROCR|GPU)_VISIBLE_DEVICES",
        "another number of devices shares out the work, which rounds differently",
    ),
    _variable(
        "precision of a variable",
        "likely",
        r".*(DTYPE|QUANT|MIXED_PRECISION).*",
        "sets the precision that the model computes in",
    ),
    _variable(
        "choice of kernels",
        "possible",
        r"CUBLAS\w*|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32\w*|CUDNN_\w+|MKL_CBWR|TF_\w+|\w*DETERMINISTIC\w*|"
        r"VLLM_(BATCH_INVARIANT|ENABLE_V1_MULTIPROCESSING|ATTENTION_BACKEND|USE_\w+|FLASH\w*)|FLASH_ATTENTION_\w+|"
        r"TORCH(INDUCTOR|DYNAMO|_COMPILE)\w*|TRITON_\w+|XLA_\w+|NCCL_(ALGO|PROTO|NVLS\w*)|BITSANDBYTES_\w+|ONEDNN_\w+|"
        r"MKL_ENABLE_INSTRUCTIONS|OPENBLAS_CORETYPE",
        "chooses kernels, and with them the order in which sums are rounded",
    ),
    _variable(
        "threads of libraries",
        "unlikely",
        r"(OMP|MKL|OPENBLAS|NUMEXPR|GOMP|KMP|RAYON)_\w+|TOKENIZERS_PARALLELISM",
        "splits sums on a processor otherwise, which moves the last digits at most",
    ),
    _variable(
        "memory of devices",
        "unlikely",
        r"PYTORCH_(CUDA_|HIP_)?ALLOC_CONF|PYTORCH_NO_CUDA_MEMORY_CACHING|CUDA_(LAUNCH_BLOCKING|MODULE_LOADING|"
        r"DEVICE_ORDER|DEVICE_MAX_CONNECTIONS|HOME|PATH|VERSION|CACHE_\w+)|NVIDIA_(DRIVER_CAPABILITIES|REQUIRE_\w+|"
        r"PRODUCT_NAME|\w+_VERSION)|NCCL_\w+|HSA_\w+|RAY_\w+|TORCH_NCCL_\w+|TORCHELASTIC_\w+",
        "says how devices are reached and their memory is shared out",
    ),
    _variable(
        "seed in a variable",
        "possible",
        r"PYTHONHASHSEED|PL_GLOBAL_SEED|\w*SEED",
        "a seed: matters to what is drawn, and to code that goes through sets in their order",
    ),
    _variable(
        "address of a service",
        "possible",
        r"\w*(BASE_URL|API_BASE|API_URL|ENDPOINT|API_VERSION|API_TYPE)",
        "what answers or marks at another address need not be the same model",
    ),
    _variable(
        "credentials in a variable",
        "unlikely",
        r"\w*(API_KEY|TOKEN|SECRET|PASSWORD|ORG_ID|ORGANIZATION|PROJECT_ID)|HF_TOKEN_PATH|HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "a key opens the door; without one, a judge or a model behind it cannot answer",
    ),
    _variable(
        "code to run",
        "possible",
        r"HF_ALLOW_CODE_EVAL|HF_DATASETS_TRUST_REMOTE_CODE",
        "allows code to run that scores or loads in a way of its own",
    ),
    _variable(
        "hub",
        "unlikely",
        r"(HF|HUGGINGFACE|TRANSFORMERS)_\w+",
        "says how files are fetched; models and datasets are compared by revision and digest",
    ),
    _variable(
        "search paths",
        "possible",
        r"PYTHONPATH|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONHOME",
        "other code or libraries may be found first",
    ),
    _variable(
        "words and dates",
        "unlikely",
        r"LANG|LANGUAGE|LC_\w+|PYTHON(UTF8|IOENCODING)|TZ|SOURCE_DATE_EPOCH",
        "bears on dates in prompts and on files that do not say how they are encoded, which is rare",
    ),
    _variable(
        "interpreter switches",
        "unlikely",
        r"PYTHON\w+|CONDA_\w+",
        "sets how Python starts; the packages and the code it finds are compared",
    ),
)


def for_determinism() -> tuple[EffectRule, ...]:
    """Give the same rules for the variables as they were when the evaluation ended."""
    return tuple(
        EffectRule(
            name=rule.name, area="determinism", field=rule.field, effect=rule.effect, why=rule.why, when=rule.when
        )
        for rule in VARIABLE_RULES
    )
