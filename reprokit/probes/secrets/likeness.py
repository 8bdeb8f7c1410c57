"""What looks like a secret: the names under which secrets are given, and values that nobody would make up.

A value counts as a secret by itself only when it is long and random enough, because a false alarm costs the user a file
that is kept out of the bundle. Random is judged by how often neighbouring characters change between lower case, upper
case, digits and signs: in a random key about half of them do, in words, versions, dates and paths few; from 20
characters on, where chance evens out, fewer are enough. The floor is 12 characters, 7 of them different; shorter values
and mere words (`EMPTY`, `none`, `not-a-real-key`) are no secrets.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

SHORTEST = 12
ENOUGH_TO_JUDGE = 256
"""How many characters of a value decide whether it is random."""
_FEWEST_DIFFERENT = 7
_FEWEST_KINDS = 3
_LONG = 20
_ONE_CASE_LENGTH = 24
_ONE_CASE_ENTROPY = 3.9
_CHANGES = 0.3
_CHANGES_IN_LONG = 0.15
_CHANGES_IN_LETTERS = 0.25
_CAPITALS_IN_A_ROW = 0.1
_CHANGES_WHEN_JOINED = 0.5

_SEPARATORS = re.compile(r"[-_.:,;/\\@|\s]+")
_PLACE = re.compile(r"(?:~|\.{1,2})?[/\\]|~|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*://")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+[A-Za-z]*\d*(?:[-+.]\w+)*", re.ASCII)
_HEXADECIMAL = re.compile(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]+")

_STRONG = re.compile(
    r"(?:^|_)(?:x_)?(?:token|(?:access|account|api|client|private|secret|service|subscription|license)_?key|apikey"
    r"|(?:access|api|auth|bearer|hf|id|refresh|secret|security|session)_?token"
    r"|secrets?|password|passwd|passphrase|credentials?|authorization)_?\d*$"
)
_WEAK = re.compile(
    r"(?:^|_)(?:\w*(?:key|token|secret|password|passwd|passphrase|credential)s?|auth|oauth2?|authorization|bearer"
    r"|cookies?|jwt|pass|pat|pwd|sig|signature)(?:_|\d*$)",
    re.ASCII,
)
_SPECIAL_TOKEN = re.compile(
    r"(?:^|_)(?:bos|eos|eot|pad|unk|sep|cls|mask|stop|start|end|image|video|audio|max|min|num|new|special)_tokens?$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PLACEHOLDER = re.compile(
    r"|empty|none|null|nil|n/?a|test(?:ing)?|dummy|fake|mock|placeholder|local|localhost|ollama|lm-studio|default|auto"
    r"|(?:sk-)?no[-_ ]?(?:api[-_ ]?)?key[-_ \w]*|(?:sk-)?not[-_ ][-_ \w]*|true|false|yes|no|on|off|required|\d{1,3}"
    r"|\[?redacted\]?|[*x.•]+|</?[\w |.-]*>|\$\w+|\$?\{\{?[\w :.-]*\}?\}",
    re.IGNORECASE,
)
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def random_enough(value: str) -> bool:
    """Tell whether a value is so long and random that it is a secret, and that finding it somewhere is no chance."""
    value = value[:ENOUGH_TO_JUDGE]
    if len(value) < SHORTEST or _PLACE.match(value) or _VERSION.fullmatch(value):
        return False
    pieces = [piece for piece in _SEPARATORS.split(value) if piece]
    if any(_is_random(piece) for piece in pieces):
        return True
    joined = "".join(pieces)
    return _varied(joined) and (_is_hexadecimal(joined) or _changes(joined) >= _CHANGES_WHEN_JOINED)


def _is_random(piece: str) -> bool:
    if not _varied(piece):
        return False
    if _is_hexadecimal(piece):
        return True
    if piece.isalpha() and (piece.islower() or piece.isupper()):
        return len(piece) >= _ONE_CASE_LENGTH and _entropy(piece) >= _ONE_CASE_ENTROPY
    if piece.isdecimal():
        return len(piece) >= _LONG
    if piece.isalpha():
        # In `CamelCase` there is a change at every word too, but hardly a capital after a capital.
        return _changes(piece) >= _CHANGES_IN_LETTERS and _capitals_in_a_row(piece) >= _CAPITALS_IN_A_ROW
    return _changes(piece) >= (_CHANGES_IN_LONG if len(piece) >= _LONG else _CHANGES)


def _varied(text: str) -> bool:
    return len(text) >= SHORTEST and len(set(text)) >= _FEWEST_DIFFERENT


def _is_hexadecimal(text: str) -> bool:
    return len(text) >= _LONG and _HEXADECIMAL.fullmatch(text) is not None


def _changes(text: str) -> float:
    """Give the share (0 to 1) of neighbouring characters that are of different classes."""
    kinds = [_kind(character) for character in text]
    return sum(one != other for one, other in pairwise(kinds)) / (len(kinds) - 1)


def _capitals_in_a_row(text: str) -> float:
    """Give the share (0 to 1) of neighbouring characters that are both capitals."""
    return sum(one.isupper() and other.isupper() for one, other in pairwise(text)) / (len(text) - 1)


def _kind(character: str) -> str:
    if character.isdecimal():
        return "digit"
    if not character.isalpha():
        return "sign"
    return "upper" if character.isupper() else "lower"


def _entropy(text: str) -> float:
    """Give the Shannon entropy of a text in bits per character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def names_a_secret(name: str) -> bool:
    """Tell whether a variable, flag or field of this name may hold a secret: it depends on the value then."""
    return _WEAK.search(_normal(name)) is not None


def holds_a_secret(name: str, value: str) -> bool:
    """Tell whether a value given under this name is to be hidden.

    Under a plain name (`api_key`, `password`) everything is but a placeholder such as `EMPTY`; under a doubtful one
    (`key`, `stop_token`) only what is random enough.
    """
    if names_only_secrets(name):
        return not is_placeholder(value)
    return names_a_secret(name) and random_enough(value)


def is_chosen_secret(value: str) -> bool:
    """Tell whether a value that is known to be given as a secret is one that a person made up with some care.

    It is as long as `SHORTEST` and of three kinds of characters at least: lower case, upper case, digits, signs.
    """
    kinds = {_kind(character) for character in value}
    return len(value) >= SHORTEST and len(kinds) >= _FEWEST_KINDS and not is_placeholder(value)


def names_only_secrets(name: str) -> bool:
    """Tell whether nothing but a secret, or a placeholder for one, is given under a name: `password`, `api_key`."""
    normal = _normal(name)
    return _STRONG.search(normal) is not None and not _SPECIAL_TOKEN.search(normal)


def is_placeholder(value: str) -> bool:
    """Tell whether a value stands for a secret without being one: `EMPTY`, `$OPENAI_API_KEY`, a path."""
    text = value.strip()
    return bool(_PLACEHOLDER.fullmatch(text) or _VARIABLE_NAME.fullmatch(text) or _PLACE.match(text))


def slot_name(name: str) -> str:
    """Turn the name of a flag or field into the name of a slot: `--api-key` becomes `API_KEY`."""
    return re.sub(r"[^A-Z0-9]+", "_", _normal(name).upper()).strip("_") or "SECRET"


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", name).lower())
