"""The forms in which well-known services issue their keys.

Most keys are a word, `_` or `-`, and a long run of letters and digits. Such runs are rare in what evaluations write, so
one pass over a file finds them all, and only the word before decides. The rest is searched for by how it begins. Every
pattern is bounded in length, and none matches what evaluations are full of: digests, UUIDs, base64 images, words. Keys
without a form of their own (40 hexadecimal digits at W&B, 32 at Azure) count only behind the name of their variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reprokit.probes.secrets.glance import Glance

LONGEST = 1 << 14
"""No pattern matches more than about this many characters."""

_FEWEST_DIFFERENT = 8
_ALPHANUMERIC = r"[A-Za-z0-9]"
_WORD = r"[A-Za-z0-9_-]"
_NOT_WITHIN = r"(?<![A-Za-z0-9_])"
_NOT_WITHIN_BASE64 = r"(?<![A-Za-z0-9+/_-])"
_GIVEN = r"""(?:\\*["'])?\s{0,3}[=:]\s{0,3}(?:\\*["'])?"""
_PROSE = re.compile("example|placeholder|changeme|your[-_]?(?:api|token|key)", re.IGNORECASE)


_RUNS = (re.compile(r"_(?=[A-Za-z0-9]{20})"), re.compile(r"-(?=[A-Za-z0-9_-]{20})"))
_LONGEST_WORD = 12


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of key: the name of its slot, how it begins, and a pattern whose group `key` is what is secret."""

    name: str
    beginnings: tuple[str, ...]
    pattern: re.Pattern[str]


def _form(name: str, beginnings: str, pattern: str) -> Form:
    return Form(name=name, beginnings=tuple(beginnings.split()), pattern=re.compile(pattern, re.ASCII))


def _token(name: str, beginnings: str, pattern: str) -> Form:
    return _form(name, beginnings, f"{_NOT_WITHIN}(?P<key>{pattern})(?!{_ALPHANUMERIC})")


TOKENS = (
    _token("ANTHROPIC_API_KEY", "sk-ant-", f"sk-ant-{_WORD}{{20,200}}"),
    _token("OPENROUTER_API_KEY", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{64}"),
    _token("OPENAI_API_KEY", "sk-proj- sk-svcacct- sk-admin-", f"sk-(?:proj|svcacct|admin)-{_WORD}{{20,250}}"),
    _token("API_KEY", "sk-", rf"sk-(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z]){_ALPHANUMERIC}{{32,64}}"),
    _token("HF_TOKEN", "hf_", r"hf_[A-Za-z0-9]{30,60}"),
    _token("HF_TOKEN", "api_org_", r"api_org_[A-Za-z0-9]{30,60}"),
    _token("GITHUB_TOKEN", "ghp_ gho_ ghu_ ghs_ ghr_", f"gh[pousr]_{_ALPHANUMERIC}{{36,251}}"),
    _token("GITHUB_TOKEN", "github_pat_", f"github_pat_{_ALPHANUMERIC}{{20,30}}_{_ALPHANUMERIC}{{50,70}}"),
    _token("GITLAB_TOKEN", "glpat- gldt- glrt- glcbt-", rf"gl(?:pat|dt|rt|cbt)-{_WORD}{{20,300}}"),
    _token("SLACK_TOKEN", "xoxb- xoxa- xoxp- xoxr- xoxs-", r"xox[baprs]-(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{20,250}"),
    _token("NPM_TOKEN", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _token("PYPI_TOKEN", "pypi-", f"pypi-AgE{_WORD}{{50,300}}"),
    _token("REPLICATE_API_TOKEN", "r8_", r"r8_[A-Za-z0-9]{37}"),
    _token("GROQ_API_KEY", "gsk_", r"gsk_[A-Za-z0-9]{48,56}"),
    _token("TOGETHER_API_KEY", "tgp_v1_", r"tgp_v1_[A-Za-z0-9]{20}[A-Za-z0-9_-]{20,30}"),
    _token("NVIDIA_API_KEY", "nvapi-", f"nvapi-{_WORD}{{60,72}}"),
    _token("XAI_API_KEY", "xai-", r"xai-[A-Za-z0-9]{70,90}"),
    _token("PERPLEXITY_API_KEY", "pplx-", r"pplx-[A-Za-z0-9]{40,60}"),
    _token("STRIPE_API_KEY", "sk_live_ rk_live_", r"[sr]k_live_[A-Za-z0-9]{20,110}"),
    _token("GOOGLE_CLIENT_SECRET", "GOCSPX-", f"GOCSPX-{_WORD}{{28}}"),
)
"""Keys that are a word, a sign and a long run; where two begin alike, the longer beginning stands first."""

OTHERS = (
    _token("WANDB_API_KEY", "wandb_v1_", r"wandb_v1_[A-Za-z0-9_]{60,100}"),
    _form("WANDB_API_KEY", "WANDB_API_KEY", rf"WANDB_API_KEY{_GIVEN}(?P<key>[0-9a-f]{{40}})(?![0-9a-f])"),
    _form(
        "WANDB_API_KEY",
        "api.wandb.ai",
        r"api\.wandb\.ai\s+login\s+\w+\s+password\s+(?P<key>[0-9a-f]{40})(?![0-9a-f])",
    ),
    _form("AWS_ACCESS_KEY_ID", "AKIA ASIA", rf"{_NOT_WITHIN_BASE64}(?P<key>A[KS]IA[A-Z2-7]{{16}})(?![A-Za-z0-9+/=])"),
    _form(
        "AWS_SECRET_ACCESS_KEY",
        "aws_secret_access_key AWS_SECRET_ACCESS_KEY SecretAccessKey",
        rf"\w{{1,60}}{_GIVEN}(?P<key>[A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+])",
    ),
    _form("GOOGLE_API_KEY", "AIza", rf"{_NOT_WITHIN_BASE64}(?P<key>AIza{_WORD}{{35}})(?![A-Za-z0-9+/_=-])"),
    _token("GOOGLE_ACCESS_TOKEN", "ya29.", f"ya29\\.{_WORD}{{30,500}}"),
    _token("DATABRICKS_TOKEN", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _token("SENDGRID_API_KEY", "SG.", f"SG\\.{_WORD}{{22}}\\.{_WORD}{{43}}"),
    _form("AZURE_STORAGE_KEY", "AccountKey=", r"AccountKey=(?P<key>[A-Za-z0-9+/]{86}==)"),
    _form("AZURE_API_KEY", "AZURE_", rf"AZURE_\w{{0,30}}KEY{_GIVEN}(?P<key>[0-9a-f]{{32}})(?![0-9a-f])"),
    _form(
        "SLACK_WEBHOOK",
        "hooks.slack.com/services/",
        r"hooks\.slack\.com/services/(?P<key>T\w{6,14}/B\w{6,14}/\w{20,30})",
    ),
    _form(
        "JWT",
        "eyJ",
        rf"{_NOT_WITHIN_BASE64}(?P<key>eyJ{_WORD}{{10,2000}}\.eyJ{_WORD}{{10,6000}}\.{_WORD}{{20,2000}})",
    ),
    _form(
        "BEARER_TOKEN",
        "Authorization authorization AUTHORIZATION",
        rf"\w{{1,60}}{_GIVEN}(?i:bearer|basic|token)\s{{1,3}}(?P<key>[A-Za-z0-9._~+/-]{{20,4000}}={{0,2}})",
    ),
)
"""Keys of other forms."""

_PRIVATE_KEY_BEGINNING = "-----BEGIN "
_PRIVATE_KEY = re.compile(rf"{_PRIVATE_KEY_BEGINNING}(?:[A-Z0-9]{{2,10}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = "-----END"
_PRIVATE_KEY_BODY = re.compile(r"(?:\s|\\+[nrt]|[A-Za-z0-9+/=:,-])*+", re.ASCII)
_SHORTEST_PRIVATE_KEY, _LONGEST_PRIVATE_KEY = 120, 12_000


def find(text: str, glance: Glance) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and slot name of everything in a text that has the form of a service's key."""
    for sign in _RUNS:
        for run in sign.finditer(text):
            yield from _tokens_before(text, run.end())
    for form in OTHERS:
        for beginning in filter(glance.may_hold, form.beginnings):
            position = text.find(beginning)
            while position >= 0:
                yield from _key(form, text, position)
                position = text.find(beginning, position + 1)
    if glance.may_hold(_PRIVATE_KEY_BEGINNING):
        yield from _private_keys(text)


def _private_keys(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what stands between the lines that begin and end a private key.

    Every character is looked at a fixed number of times, however often keys begin that do not end: where the body
    stops and where the next end stands is the same for all that begin before.
    """
    body_end = end = done = 0
    for header in _PRIVATE_KEY.finditer(text):
        start = header.end()
        if end < start + _SHORTEST_PRIVATE_KEY:
            end = text.find(_PRIVATE_KEY_END, start + _SHORTEST_PRIVATE_KEY)
        if end < 0:
            return
        if start < done or end - start > _LONGEST_PRIVATE_KEY:
            continue
        if body_end < start:
            body = _PRIVATE_KEY_BODY.match(text, start)
            body_end = body.end() if body else start
        if end > body_end:
            continue
        prose = _PROSE.search(text, start, end)
        # What makes this one up makes up those that begin before it; what is found here holds all that begin within.
        done = prose.start() if prose else end
        if not prose and len(set(text[start:end])) >= _FEWEST_DIFFERENT:
            yield start, end, "PRIVATE_KEY"


def _tokens_before(text: str, run: int) -> Iterator[tuple[int, int, str]]:
    """Yield the key that has its word and sign just before a run, if there is one."""
    word = text[max(0, run - _LONGEST_WORD) : run]
    for form in TOKENS:
        for beginning in form.beginnings:
            if word.endswith(beginning):
                yield from _key(form, text, run - len(beginning))


def _key(form: Form, text: str, position: int) -> Iterator[tuple[int, int, str]]:
    match = form.pattern.match(text, position)
    if match and not _is_made_up(match["key"]):
        yield *match.span("key"), form.name


def _is_made_up(key: str) -> bool:
    """Tell whether it only shows the form of a key, as documentation and code do: `hf_xxxxxxxx`, `AKIA…EXAMPLE`."""
    return len(set(key)) < _FEWEST_DIFFERENT or _PROSE.search(key) is not None
