"""Every hook that the SDK specifies is called by the core, or stands in a table that says who will call it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routeiq.plugins.compiled import Pipeline
from routeiq_sdk.hooks import SPECS

CORE = Path(__file__).parents[2] / "core" / "src" / "routeiq"
CALLED_BY_PLUGINS: dict[str, str] = {}
COMPILER = CORE / "plugins" / "compiled.py"
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in CORE.rglob("*.py") if path != COMPILER)


def is_called(hook: str) -> bool:
    return (
        re.search(rf"pipeline\.{hook}\b|_run\(\"{hook}\"|_collect\(\"{hook}\"|_the_one\(\"{hook}\"", SOURCE) is not None
    )


@pytest.mark.parametrize("hook", SPECS)
def test_a_specified_hook_is_called_or_its_absence_has_a_reason(hook: str) -> None:
    assert is_called(hook) is (hook not in CALLED_BY_PLUGINS)


def test_the_table_names_hooks_that_exist() -> None:
    assert CALLED_BY_PLUGINS.keys() <= SPECS.keys()


def test_the_pipeline_has_a_gate_for_every_hook_and_no_other() -> None:
    assert set(Pipeline.__dataclass_fields__) - {"needs"} == set(SPECS)
