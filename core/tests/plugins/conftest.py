"""Installs throw-away distributions: real metadata on a real path, found as any other package is."""

from __future__ import annotations

import base64
import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

PRELUDE = """
from __future__ import annotations
from typing import Any
from pydantic import Field
from routeiq_sdk import *
from routeiq_sdk.values.health import Health
"""


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: set[str] = set()

    def install(
        self,
        name: str,
        source: str,
        *,
        version: str = "1.0",
        kind: str = "plugins",
        distribution: str | None = None,
        value: str | None = None,
    ) -> str:
        """Install the plugin `name`, whose class is `It`, and return its distribution's name."""
        distribution = distribution or f"routeiq-{name}"
        module = distribution.replace("-", "_")
        self.modules.add(module)
        info = f"{module}-{version}.dist-info"
        entry = f"[routeiq.{kind}]\n{name} = {value or f'{module}:It'}\n"
        files = {
            f"{module}.py": PRELUDE + dedent(source),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
            f"{info}/entry_points.txt": entry,
        }
        self.write(files)
        self.write({f"{info}/RECORD": "".join(_row(name, text) for name, text in files.items()) + f"{info}/RECORD,,\n"})
        importlib.invalidate_caches()
        return distribution

    def write(self, files: Mapping[str, str]) -> None:
        """Write files below the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _row(name: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"{name},sha256={digest},{len(text.encode())}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    installed = Site(folder)
    yield installed
    for module in installed.modules:
        sys.modules.pop(module, None)
