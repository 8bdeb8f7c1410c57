"""Fetch the files of a repository at a commit into a cache folder, by the `huggingface_hub` that is installed.

Reads `{"kind", "name", "revision", "cache", "files"}`; `files` is null for all that there are.
"""

from __future__ import annotations

import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

AT_ONCE = 8


def fetch(hub: Any, asked: dict[str, Any]) -> None:
    """Fetch the files; the first that cannot be had ends it."""
    which = {"repo_id": asked["name"], "repo_type": asked["kind"], "revision": asked["revision"]}
    if asked["files"] is None:
        hub.snapshot_download(**which, cache_dir=asked["cache"])
        return
    with ThreadPoolExecutor(AT_ONCE) as several:
        waiting = [
            several.submit(hub.hf_hub_download, filename=file, cache_dir=asked["cache"], **which)
            for file in asked["files"]
        ]
        try:
            for each in waiting:
                each.result()
        finally:
            for each in waiting:
                each.cancel()


def main() -> int:
    """Fetch; exits with 3 when the library is not installed."""
    asked = json.load(sys.stdin)
    if find_spec("huggingface_hub") is None:
        return 3
    answer: dict[str, Any] = {}
    try:
        fetch(importlib.import_module("huggingface_hub"), asked)
    except Exception as error:  # noqa: BLE001 - the library's own exceptions differ between its versions
        answer = {"error": [each.__name__ for each in type(error).__mro__], "said": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
