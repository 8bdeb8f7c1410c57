"""Writes `schemas/v1/` from the record types: `python schemas/generate.py` (or `make schemas`)."""

from __future__ import annotations

from pathlib import Path

from reprokit.bundle import schemas


def main() -> None:
    """Write every published schema."""
    folder = Path(__file__).parent / "v1"
    folder.mkdir(exist_ok=True)
    for name, (identifier, kind) in schemas.TYPES.items():
        (folder / schemas.file_name(name)).write_bytes(schemas.generate(identifier, kind))


if __name__ == "__main__":
    main()
