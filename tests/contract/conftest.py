"""Golden files: what the gateway answered when a person last looked at it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "golden"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SERIAL = re.compile(r"scripted([-_])\d+")
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_MASKED = {
    "date": "<date>",
    "content-length": "<length>",
    "x-routeiq-config": "<revision>",
    "x-routeiq-version": "<version>",
    "x-litellm-model-id": "<deployment>",
    "x-litellm-response-duration-ms": "<ms>",
    "x-litellm-overhead-duration-ms": "<ms>",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write tests/contract/golden anew; read the diff.")


class Golden:
    """Compares with a golden file, or writes it."""

    def __init__(self, update: bool) -> None:
        self._update = update

    def check(self, name: str, told: Any) -> None:
        path = FOLDER / f"{name}.json"
        text = json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is not there: run with --update-golden and read what it wrote"
        assert json.loads(path.read_text(encoding="utf-8")) == told


def masked_headers(headers: Any) -> dict[str, str]:
    """Headers without what differs from run to run."""
    return {name.lower(): _MASKED.get(name.lower()) or masked_text(value) for name, value in sorted(headers.items())}


def masked_text(text: str) -> str:
    return _PORT.sub("127.0.0.1:<port>", _SERIAL.sub(r"scripted\1<n>", _UUID.sub("<uuid>", text)))


def masked(value: Any) -> Any:
    """A JSON value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: "<time>" if key == "created" else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return masked_text(value) if isinstance(value, str) else value


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.config.getoption("--update-golden", default=False))


@pytest.fixture
def mask() -> Any:
    return masked


@pytest.fixture
def mask_headers() -> Any:
    return masked_headers
