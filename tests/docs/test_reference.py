"""The reference names everything that the code has: a hook, setting, command or route that is missing fails here."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner
from mkdocs_hook import fill
from pages import DOCS
from pydantic import BaseModel
from reference_blocks.commands import every_command
from reference_blocks.errors import EXAMPLES, situations
from reference_blocks.hooks import FAILURES

import routeiq_sdk
from routeiq.catalog.providers import NATIVE
from routeiq.cli.main import cli
from routeiq.config.key_tables import TABLES
from routeiq.config.routeiq_block import RouteiqBlock
from routeiq.server.engine import engine_names
from routeiq_sdk.hooks import ALL
from routeiq_sdk.hooks.marks import Failure
from routeiq_testkit.pytest_plugin import StartGateway


def rendered(page: str) -> str:
    return fill((DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8"))


HOOKS = [
    function
    for group in ALL
    for function in vars(group).values()
    if inspect.isfunction(function) and hasattr(function, "routeiq_hook")
]


@pytest.mark.parametrize("function", HOOKS, ids=lambda function: function.__name__)
def test_every_hook_is_documented_with_its_current_signature_and_failure(function: Any) -> None:
    page = rendered("hooks")
    colour = "async def" if inspect.iscoroutinefunction(function) else "def"
    written = f"{colour} {function.__name__}{inspect.signature(function)}".replace("'", "")
    assert f"\n{written}\n" in page
    section = page.partition(f"{{ #{function.__name__} }}")[2].partition("\n##")[0]
    assert f"**Failure:** `{function.routeiq_hook.failure}`" in section
    assert " ".join((function.__doc__ or "").split()[:8]) in " ".join(section.split())


def test_every_failure_policy_is_explained() -> None:
    policy = (DOCS / "explanation" / "failure-policy.md").read_text(encoding="utf-8")
    assert set(FAILURES) == set(get_args(Failure))
    assert [name for name in FAILURES if f"| **{name}**" not in policy] == []


def fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield f"{path}.{name}", field
        for inner, nested in models_in(field.annotation):
            yield from fields(inner, f"{path}.{name}{nested}")


def models_in(annotation: Any, nested: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Models inside an annotation, with what stands between them and the key: nothing, `.NAME` or `[]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, nested
    origin = getattr(annotation, "__origin__", None)
    kind = getattr(origin, "__name__", "")
    step = {"Mapping": ".NAME", "dict": ".NAME", "tuple": "[]", "list": "[]"}.get(kind, "")
    for part in get_args(annotation):
        yield from models_in(part, nested + step)


SETTINGS = [(path, field) for path, field in fields(RouteiqBlock, "routeiq") if not path.endswith(".NAME.config")]


@pytest.mark.parametrize(("path", "field"), SETTINGS, ids=[path for path, _ in SETTINGS])
def test_every_setting_is_documented_with_its_default_and_meaning(path: str, field: Any) -> None:
    (row,) = [line for line in rendered("settings").splitlines() if line.startswith(f"| `{path}` |")]
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert field.description in row.replace("\\|", "|"), "the description is the setting's own"
    if not field.is_required() and field.default_factory is None and isinstance(field.default, bool | int | float):
        assert cells[2] == f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("section", TABLES)
def test_every_litellm_key_is_documented_with_its_class(section: str) -> None:
    page = rendered("litellm-keys")
    prefix = f"{section}." if section else ""
    for key in TABLES[section].rows:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{prefix}{key.name}` |")]
        assert key.key_class.value in row
        assert key.plugin is None or f"`{key.plugin}`" in row


def test_every_command_and_option_is_documented() -> None:
    page = rendered("commands")
    for path, command in every_command():
        section = page.partition(f"## `{path}`\n")[2].partition("\n## ")[0]
        assert section, f"{path} is missing"
        shown = CliRunner().invoke(cli, [*path.split()[1:], "--help"])
        assert shown.exit_code == 0
        for parameter in command.params:
            argument = isinstance(parameter, click.Argument)
            names = [parameter.human_readable_name] if argument else [*parameter.opts, *parameter.secondary_opts]
            for name in names:
                assert f"`{name}`" in section, f"{path} {name}"


async def test_every_route_of_a_running_gateway_is_documented(gateway: StartGateway) -> None:
    running = await gateway({})
    async with running.session.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    page = rendered("routes").replace(":path}", "}")
    served = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(served) > 20
    assert [route for route in served if f"| {route[0]} | `{route[1]}` |" not in page] == []


def test_every_error_of_the_road_is_documented() -> None:
    assert set(situations()) == EXAMPLES.keys()
    assert rendered("errors").count("| 4") + rendered("errors").count("| 5") > 15


def test_every_public_name_of_the_sdk_is_documented() -> None:
    page = rendered("sdk")
    assert [name for name in routeiq_sdk.__all__ if f"## `{name}`\n" not in page] == []


def test_every_provider_and_engine_is_documented() -> None:
    providers, engines = rendered("providers"), rendered("engines")
    assert [name for name in NATIVE if f"| `{name}/` |" not in providers] == []
    assert [name for name in engine_names() if f"| `{name}` |" not in engines] == []
