"""Make the pictures of the task `name_tints`: one of each plain tint, as a parquet file: `python make_images.py FILE`."""

import sys
from pathlib import Path

from datasets import Dataset, Features, Image, Value
from PIL import Image as Picture

TINTS = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
COLUMNS = Features({"name": Value("string"), "picture": Image(), "answer": Value("string")})


def rows() -> dict[str, list]:
    """Draw the pictures; the last two are the same picture, and one of them is asked for wrongly."""
    pictures = [Picture.new("RGB", (6 + at, 4), tint) for at, tint in enumerate(TINTS.values())]
    names = [f"tint-{at}" for at in range(len(pictures) + 1)]
    return {"name": names, "picture": [*pictures, pictures[-1]], "answer": [*TINTS, "white"]}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(rows(), features=COLUMNS).to_parquet(file)
