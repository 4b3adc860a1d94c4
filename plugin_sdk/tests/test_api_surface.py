"""The public names and hooks of the SDK, compared with a snapshot: a change of the API is a decision.

To accept one, run this file: `python plugin_sdk/tests/test_api_surface.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import routeiq_sdk
import routeiq_sdk.testing
from routeiq_sdk.hooks import ALL, SPECS

GOLDEN = Path(__file__).parent / "golden" / "api.txt"


def rendered() -> str:
    lines = [f"routeiq_sdk.{name}" for name in sorted(routeiq_sdk.__all__)]
    lines += [f"routeiq_sdk.testing.{name}" for name in sorted(routeiq_sdk.testing.__all__)]
    for group in ALL:
        lines.append(f"\n{group.__name__}")
        for name, function in hooks_of(group):
            colour = "async def" if SPECS[name].is_async else "def"
            lines.append(f"  {colour} {name}{inspect.signature(function)}  on failure: {SPECS[name].failure}")
    return "\n".join(lines) + "\n"


def hooks_of(group: type) -> Iterator[tuple[str, Any]]:
    return ((name, member) for name, member in vars(group).items() if name in SPECS)


def public_classes() -> list[type]:
    return [value for name in routeiq_sdk.__all__ if isinstance(value := getattr(routeiq_sdk, name), type)]


def test_the_public_api_is_the_snapshot() -> None:
    assert rendered() == GOLDEN.read_text(encoding="utf-8"), "the API changed; see this file's docstring"


def test_every_exported_name_exists() -> None:
    for module in (routeiq_sdk, routeiq_sdk.testing):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_says_what_it_is_for(hook: str) -> None:
    assert len(SPECS[hook].doc) > 30


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_is_fully_typed(hook: str) -> None:
    function = next(member for group in ALL for name, member in hooks_of(group) if name == hook)
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("public", public_classes(), ids=lambda public: public.__name__)
def test_every_public_class_and_method_has_a_docstring(public: type) -> None:
    assert public.__doc__
    for name, member in vars(public).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, (property, classmethod))):
            continue
        assert inspect.getdoc(member), f"{public.__name__}.{name}"


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="utf-8")
