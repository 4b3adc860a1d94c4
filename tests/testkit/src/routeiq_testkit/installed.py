"""Plugins for one test, installed as a package manager would leave them: a module and its metadata on the import path.

Nothing of discovery is bypassed, so a test sees what an operator sees.
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path

_KINDS = {"strategy": "strategies", "embedder": "embedders", "guard": "guards", "auth": "auth", "protocol": "protocols"}


class PluginFolder:
    """A folder on the import path. Use as a context manager; at the end its modules are forgotten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: list[str] = []

    def __enter__(self) -> PluginFolder:
        self.folder.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(self.folder))
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.path.remove(str(self.folder))
        for name in self._modules:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def install(
        self, name: str, source: str, *, kind: str = "plugin", attribute: str = "Fixture", version: str = "1.0"
    ) -> None:
        """Install a plugin: `source` is its module's text, which defines the class `attribute`."""
        module = "fixture_" + name.replace("-", "_")
        self._modules.append(module)
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        group = "routeiq." + _KINDS.get(kind, kind + "s")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{attribute}\n", encoding="utf-8")
        (info / "RECORD").write_text(f"{module}.py,,\n", encoding="utf-8")
        importlib.invalidate_caches()
