"""The pages on learned routing keep up with the plugin: all settings, YAML that it takes, commands and routes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml
from pages import DOCS, ROOT, Snippet, of_page
from pydantic import BaseModel

from routeiq.cli.main import cli
from routeiq_routing_ml.config import MlConfig
from routeiq_testkit.pytest_plugin import StartGateway

PAGE = DOCS / "how-to" / "learned-routing.md"
PLUGIN_PAGE = ROOT / "plugins" / "routing-ml" / "README.md"
PAGES = (PAGE, DOCS / "explanation" / "learned-routing.md", DOCS / "how-to" / "train-a-router.md", PLUGIN_PAGE)
BLOCKS = [
    (snippet, block)
    for page in PAGES
    for snippet in of_page(page)
    if snippet.language == "yaml"
    for block in [yaml.safe_load(snippet.text).get("routeiq", {}).get("plugins", {}).get("routing-ml")]
    if block is not None
]
TABLE = PAGE.read_text("utf-8").partition("\n## All settings")[2]
LITELLMS = {"routing_strategy", "routing_strategy_args"}  # these stand in router_settings


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield prefix + name, field
        for inner, step in models_in(field.annotation):
            yield from fields(inner, f"{prefix}{name}{step}.")


def models_in(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    for part in get_args(annotation):
        for model, step in models_in(part):
            yield model, "[]" if getattr(annotation, "__origin__", None) is tuple else step


SETTINGS = [(path, field) for path, field in fields(MlConfig) if path not in LITELLMS]


@pytest.mark.parametrize(("path", "field"), SETTINGS, ids=[path for path, _ in SETTINGS])
def test_every_setting_is_in_the_table_with_its_default_and_meaning(path: str, field: Any) -> None:
    (row,) = [line for line in TABLE.splitlines() if line.startswith(f"| `{path}` |")]
    _, default, meaning = (cell.strip() for cell in row.strip("|").split("|"))
    assert meaning == field.description
    if not field.is_required() and isinstance(field.default, bool | int | float | str):
        assert default == f"`{json.dumps(field.default)}`"


def test_the_table_has_no_settings_of_old() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \|", TABLE, re.MULTILINE)) == {path for path, _ in SETTINGS}


@pytest.mark.parametrize(("snippet", "block"), BLOCKS, ids=[str(snippet) for snippet, _ in BLOCKS])
def test_the_plugin_takes_the_yaml_of_the_pages(snippet: Snippet, block: dict[str, Any]) -> None:
    MlConfig.model_validate(block)


def shell_lines(page: Path) -> list[str]:
    shown = [snippet.text for snippet in of_page(page) if snippet.language in ("sh", "console")]
    return [line.removeprefix("$ ") for text in shown for line in text.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_the_pages_take_their_options(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        if words[:2] != ["routeiq", "route"] or "--help" in words:
            continue
        for word in words:  # files that must be there before the command runs
            if Path(word).suffix in (".jsonl", ".skops", ".pkl", ".npy"):
                Path(word).touch()
        root = click.Context(cli)
        group = cli.get_command(root, "route")
        assert isinstance(group, click.Group)
        command = group.get_command(root, words[2])
        assert command is not None, line
        command.make_context(words[2], words[3:]).close()


async def test_the_routes_that_the_page_names_are_those_of_the_plugin(gateway: StartGateway) -> None:
    plain, ours = await gateway({}), await gateway({"routeiq": {"plugins": {"routing-ml": {}}}})
    served = []
    for running in (plain, ours):
        async with running.session.get("/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        served.append({(method.upper(), path) for path, methods in paths.items() for method in methods})
    section = PAGE.read_text("utf-8").partition("\n## Routes")[2].partition("\n## ")[0]
    named = {(method, path) for method, path in re.findall(r"`(GET|POST) ([^`]+)`", section)}
    assert named == served[1] - served[0]
    called = {word for line in shell_lines(PAGE) for word in re.findall(r"http://127\.0\.0\.1:4000(/\S*)", line)}
    known = {path for _, path in served[1]} | {"/routeiq/v1/decisions/$ID"}
    assert called <= known
