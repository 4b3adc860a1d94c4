"""What the wire tests share: whole transcripts, one file a direction, each with what is given and what is expected.

The texts are our own; no provider's documentation or tests were copied.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

_TRANSCRIPTS = Path(__file__).parent / "transcripts"


@pytest.fixture(scope="session")
def transcript() -> Callable[[str], dict[str, Any]]:
    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads((_TRANSCRIPTS / f"{name}.json").read_bytes())
        return found

    return read
