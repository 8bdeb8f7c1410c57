"""Prepare a dataset from the files of its snapshot, so that `datasets` finds it by its name on the hub when offline.

Offline, `load_dataset("org/name")` takes no notice of a cached snapshot: it looks for a copy that it prepared before,
in `<cache>/org___name/<configuration and arguments>/<version>/<commit>`. So the copy is made from the files of the
snapshot, and put where it will look for it.

Reads `{"snapshot", "folder", "name", "revision", "configuration", "arguments", "scratch", "cache"}`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CARD = "README.md"
METADATA = re.compile(r"\s*---\r?\n(.*?)\r?\n---", re.DOTALL)


def build(asked: dict[str, Any]) -> str:
    """Make one prepared copy, and give the folder that it is in."""
    datasets = importlib.import_module("datasets")
    naming = importlib.import_module("datasets.naming")
    organisation, _, own = asked["name"].rpartition("/")
    # The last word of the folder names the files of the copy, and pictures in it are named by their path: so it stays.
    folder = Path(asked["folder"], own)
    show(Path(asked["snapshot"]), folder, asked["configuration"], whole=not asked["arguments"])
    builder = datasets.load_dataset_builder(
        str(folder), asked["configuration"], cache_dir=asked["scratch"], **asked["arguments"]
    )
    builder.download_and_prepare()
    name = naming.camelcase_to_snakecase(own)
    made = Path(builder.cache_dir)
    identity = builder.config.name
    if asked["arguments"]:
        # What is looked for is named by the arguments as they are given, not by the files that they stand for.
        plain = datasets.BuilderConfig(asked["configuration"] or "default")
        identity = plain.create_config_id(config_kwargs=asked["arguments"])
    dataset = organisation + "___" + name if organisation else name
    place = Path(asked["cache"], dataset, identity, made.parent.name, asked["revision"])
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        made.rename(place)
    return str(place)


def show(snapshot: Path, folder: Path, configuration: str | None, *, whole: bool) -> None:
    """Show the files of a snapshot in a folder; its card without the configurations that are not wanted.

    They are hard links, within the workspace: some versions of the library take no symbolic link for a file. The run
    may have had the files of one configuration only, and the library wants those of every one that it is told.
    """
    for place, _, names in os.walk(snapshot):
        for file in (Path(place, name) for name in names):
            link = folder / file.relative_to(snapshot)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(file.resolve())
    card = folder / CARD
    if card.exists():
        text = card.read_text(encoding="utf-8", errors="replace")
        card.unlink()
        card.write_text(narrowed(text, configuration, whole=whole), encoding="utf-8")


def narrowed(card: str, configuration: str | None, *, whole: bool) -> str:
    """Leave of a card's configurations the one that is wanted: the default one when none is named."""
    yaml: Any = importlib.import_module("yaml")
    found = METADATA.match(card)
    metadata: Any = yaml.safe_load(found[1]) if found else None
    if found is None or not isinstance(metadata, dict) or not isinstance(metadata.get("configs"), list):
        return card
    wanted = [each for each in metadata["configs"] if is_wanted(each, configuration)]
    if wanted or not whole:
        metadata["configs"] = wanted
    if not metadata["configs"]:
        del metadata["configs"]
    kept: str = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False)
    return f"---\n{kept}---{card[found.end() :]}"


def is_wanted(each: Any, configuration: str | None) -> bool:
    """Tell whether a configuration of a card is the one that is asked for."""
    if not isinstance(each, dict):
        return False
    if configuration is not None:
        return bool(each.get("config_name") == configuration)
    return bool(each.get("default")) or each.get("config_name") == "default"


def main() -> int:
    """Build; exits with 3 when the library is not installed."""
    asked = json.load(sys.stdin)
    if find_spec("datasets") is None:
        return 3
    answer: dict[str, Any] = {}
    try:
        answer = {"place": build(asked)}
    except Exception as error:  # noqa: BLE001 - whatever a reader of foreign data raises
        answer = {"error": [each.__name__ for each in type(error).__mro__], "said": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
