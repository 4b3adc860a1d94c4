"""Fills the generated parts of the reference when the site is built: a line `{{ hooks }}` becomes the table of hooks.

What a block says is made in `reference_blocks`; pages without such a line are left alone.
"""

from __future__ import annotations

import re
from typing import Any

from reference_blocks import BLOCKS

_MARKER = re.compile(r"^\{\{ ([a-z-]+) \}\}$", re.MULTILINE)


def fill(markdown: str) -> str:
    """`markdown` with every marker replaced. Raises `KeyError` for a block that nobody makes."""
    return _MARKER.sub(lambda match: BLOCKS[match[1]](), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """mkdocs calls this for each page."""
    return fill(markdown)
