"""The page of guard-content keeps up with the plugin: its options, the names that come with it, rows that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pages import DOCS, ROOT, Snippet, of_page
from pydantic import BaseModel

from routeiq_guard_content.config import Config, Options
from routeiq_guard_content.files import shipped_names
from routeiq_guard_content.options import BlockedWord, Category, CategoryFile, Pattern, WordFile
from routeiq_guard_content.prebuilt import PREBUILT
from routeiq_sdk.guards import RailOptions

PAGE = DOCS / "how-to" / "guard-content.md"
TEXT = PAGE.read_text("utf-8")
TABLE = TEXT.partition("\n## All options")[2].partition("\n## ")[0]


def fields() -> Iterator[tuple[str, Any]]:
    parts: tuple[tuple[type[BaseModel], str], ...] = (
        (Options, ""),
        (BlockedWord, "blocked_words[]."),
        (Pattern, "patterns[]."),
        (Category, "categories[]."),
    )
    for model, prefix in parts:
        for name, field in model.model_fields.items():
            if not (model is Options and name in RailOptions.model_fields) and not field.exclude:
                yield prefix + name, field


OPTIONS = dict(fields())


@pytest.mark.parametrize("path", OPTIONS)
def test_every_option_is_in_the_table_with_its_default_and_meaning(path: str) -> None:
    field = OPTIONS[path]
    (row,) = [line for line in TABLE.splitlines() if line.startswith(f"| `{path}` |")]
    _, default, meaning = (cell.strip() for cell in row.strip("|").split("|"))
    assert meaning == field.description
    if not field.is_required() and isinstance(field.default, bool | int | float | str):
        assert default == f"`{json.dumps(field.default)}`"


def test_the_table_has_no_options_of_old() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \|", TABLE, re.MULTILINE)) == set(OPTIONS)


def test_what_comes_with_it_is_named() -> None:
    assert [name for name in (*PREBUILT, *shipped_names()) if f"`{name}`" not in TEXT] == []


SNIPPETS = [
    snippet
    for page in (PAGE, ROOT / "plugins" / "guard-content" / "README.md")
    for snippet in of_page(page)
    if snippet.language in ("yaml", "text")
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_the_plugin_takes_what_the_pages_show(snippet: Snippet) -> None:
    if snippet.language == "yaml":
        document = yaml.safe_load(snippet.text)
        settings = document.get("litellm_settings", {})
        taken = Config.model_validate({"guardrails": document.get("guardrails", []), **settings})
        assert taken.callbacks or all(taken.guardrails)
    elif snippet.text.startswith("blocked_words:"):
        assert WordFile.model_validate(yaml.safe_load(snippet.text)).blocked_words
    elif snippet.text.startswith("category_name:"):
        assert CategoryFile.model_validate(yaml.safe_load(snippet.text)).keywords
    else:
        assert snippet.text.startswith("The answer was refused by the guardrail")
