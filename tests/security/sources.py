"""The product's source files, for the rows that forbid ways of writing.

What is forbidden is written in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "core/src", ROOT / "plugin_sdk/src", *sorted(ROOT.glob("plugins/*/src")))


def product_sources() -> Iterator[tuple[str, str]]:
    """Path below the repository and text of every Python file that is shipped."""
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
