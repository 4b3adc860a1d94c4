"""`routeiq plugins new`: renders a project whose tests pass at once.

The texts are in `template/`; `project` is every kind's, `kinds` holds the plugin and its tests a kind.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import NamedTuple

from routeiq_sdk import PluginError


class Kind(NamedTuple):
    """A kind of plugin: its entry-point group, the contract its tests inherit, and a summary for its metadata."""

    group: str
    contract: str
    summary: str


KINDS = {
    "strategy": Kind("routeiq.strategies", "StrategyContract", "Ranks models by price and length of the question"),
    "guard": Kind("routeiq.guards", "GuardContract", "Refuses words in requests, answers and streams"),
    "auth": Kind("routeiq.auth", "AuthContract", "Lets teams in by a token in a header"),
    "sink": Kind("routeiq.sinks", "SinkContract", "Posts records of finished requests to a web address"),
    "protocol": Kind("routeiq.protocols", "PluginContract", "Serves a protocol of its own"),
    "embedder": Kind("routeiq.embedders", "PluginContract", "Turns texts into vectors"),
    "plugin": Kind("routeiq.plugins", "PluginContract", "Marks calls to providers and watches how long they take"),
}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")


def scaffold(name: str, kind: str, directory: Path) -> Path:
    """Write the project `directory/NAME` and return its path. Raises `PluginError` for a bad name or a taken folder."""
    if not _NAME.match(name):
        raise PluginError(name, "is not a name.", mend="use lower-case words joined by hyphens, as in my-guard.")
    folder = directory / name
    if folder.exists():
        raise PluginError(name, f"{folder} is there already.", mend="choose another name or --dir.")
    words = _words(name, kind)
    template = files("routeiq.plugins") / "template"
    _render(template / "project", folder, words)
    source, tests = folder / "src" / words["module"], folder / "tests"
    _write(template / "kinds" / kind / "plugin.py.tmpl", source, words)
    _write(template / "kinds" / kind / "test_plugin.py.tmpl", tests, words)
    return folder


def _words(name: str, kind: str) -> dict[str, str]:
    group, contract, summary = KINDS[kind]
    major, minor = version("routeiq-sdk").split(".")[:2]
    return {
        "name": name,
        "distribution": f"routeiq-{name}",
        "module": f"routeiq_{name.replace('-', '_')}",
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "group": group,
        "contract": contract,
        "summary": summary,
        "sdk_version": f"{major}.{minor}",
        # Before 1.0 a minor release may break; after it a major one.
        "sdk_below": f"0.{int(minor) + 1}" if major == "0" else str(int(major) + 1),
    }


def _render(source: Traversable, target: Path, words: dict[str, str]) -> None:
    for entry in source.iterdir():
        if entry.is_dir():
            _render(entry, target / (words["module"] if entry.name == "package" else entry.name), words)
        else:
            _write(entry, target, words)


def _write(source: Traversable, folder: Path, words: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = Template(source.read_text(encoding="utf-8")).substitute(words)
    (folder / source.name.removesuffix(".tmpl")).write_text(text, encoding="utf-8")
