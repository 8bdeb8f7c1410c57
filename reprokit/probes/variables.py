"""The environment variables that can change what an evaluation does: by allow-list, and never a secret's value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain

from reprokit.bundle.record import Variable
from reprokit.bundle.values import Argument, SecretSlot
from reprokit.probes.interpreter import python_path
from reprokit.probes.secrets import Secrets
from reprokit.probes.secrets.redaction import Slots, hits_in_argument
from reprokit.probes.secrets.search import Hit, Rank, disjoint

ALLOWED_NAMES = frozenset(
    {
        "CONDA_DEFAULT_ENV",
        "CONDA_PREFIX",
        "DASHSCOPE_API_KEY",
        "DEEPSEEK_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "HUGGINGFACE_HUB_CACHE",
        "HUGGING_FACE_HUB_TOKEN",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "OPENROUTER_API_KEY",
        "PL_GLOBAL_SEED",
        "PYTHONHASHSEED",
        "PYTHONIOENCODING",
        "PYTHONNOUSERSITE",
        "PYTHONOPTIMIZE",
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "PYTHONUTF8",
        "REKA_API_KEY",
        "SOURCE_DATE_EPOCH",
        "TF_DETERMINISTIC_OPS",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_XLA_FLAGS",
        "TOGETHER_API_KEY",
        "TZ",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
    }
)
ALLOWED_PREFIXES = (
    "ANTHROPIC_",
    "AZURE_OPENAI_",
    "BITSANDBYTES_",
    "CUBLAS",
    "CUDA_",
    "CUDNN_",
    "FLASH_ATTENTION_",
    "GOMP_",
    "HF_",
    "HIP_",
    "HSA_",
    "INSPECT_",
    "JAX_",
    "KMP_",
    "LC_",
    "LMEVAL_",
    "LMMS_EVAL_",
    "LM_EVAL_",
    "MKL_",
    "NCCL_",
    "NUMEXPR_",
    "NVIDIA_",
    "OMP_",
    "OPENAI_",
    "OPENBLAS_",
    "PYTORCH_",
    "RAY_",
    "ROCR_",
    "SGLANG_",
    "TF_CPP_",
    "TF_CUDNN_",
    "TOKENIZERS_",
    "TORCH",
    "TRANSFORMERS_",
    "TRITON_",
    "VLLM_",
    "XLA_",
)
NO_SECRETS = frozenset({"HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_TOKEN_PATH"})
"""Names that look like a secret's and are a switch or a path."""

_SECRET_WORD = re.compile(
    r"(^|[^a-z])(api_?keys?|keys?|\w*token|\w*secrets?|\w*passwords?|passwd|passphrase|credentials?|auth|oauth"
    r"|authorization|cookies?|bearer|jwt|signature)($|[^a-z])",
    re.IGNORECASE,
)
_USER_INFORMATION = re.compile(r"(?<=://)[^/\s]+(?=@)")


def observe(environ: Mapping[str, str], secrets: Secrets | None = None) -> list[Variable]:
    """List the variables that matter, by name, with slots for secrets and no trace of the probe.

    A secret that is a whole value has the variable's name; so has the user information of an address. What is known, or
    stands under a telling name as in `?token=…`, is named as in a command line.
    """
    known = secrets or Secrets()
    slots = Slots(known)
    values = {**environ, "PYTHONPATH": python_path(environ)}
    if not values["PYTHONPATH"]:
        del values["PYTHONPATH"]
    return [
        Variable(name=name, value=_value(name, values[name], slots, known)) for name in sorted(values) if matters(name)
    ]


def matters(name: str) -> bool:
    """Tell whether a variable of this name can change what an evaluation does."""
    return name in ALLOWED_NAMES or name.startswith(ALLOWED_PREFIXES)


def looks_secret(name: str) -> bool:
    """Tell whether a variable, flag or field of this name would hold a secret."""
    return name not in NO_SECRETS and _SECRET_WORD.search(name) is not None


def _value(name: str, value: str, slots: Slots, known: Secrets) -> Argument:
    if looks_secret(name):
        return [SecretSlot(secret=name)] if value else ""
    users = (
        Hit(start=found.start(), end=found.end(), rank=Rank.NAMED, name=name)
        for found in _USER_INFORMATION.finditer(value)
    )
    parts = slots.parts(value, disjoint(value, chain(hits_in_argument(value, known), users)))
    if isinstance(parts, str):
        return _readable(parts)
    return [_readable(part) if isinstance(part, str) else part for part in parts]


def _readable(text: str) -> str:
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
