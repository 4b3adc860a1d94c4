"""Answers against a JSON schema: which are valid, what is said of others, and that nothing takes for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_guard_content.schemas import Schema

from .rows import cut, guard, streamed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "maxItems": 2},
    },
    "patternProperties": {"^x-": {"type": "integer"}},
    "additionalProperties": False,
    "required": ["name"],
    "$defs": {"item": {"type": "object", "required": ["id"]}},
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "ann"}', None),
        ('  {"name": "ann", "items": [{"id": 1}], "x-a": 1}\n', None),
        ("", None),
        (" \n", None),
        ("Here you are: {}", "text that is not JSON"),
        ('```json\n{"name": "ann"}\n```', "text that is not JSON"),
        ('{"name": NaN}', "text that is not JSON"),
        ('{"name": "ann"} {}', "text that is not JSON"),
        ("{}", "required"),
        ('{"name": "SECRET"}', "properties.name.pattern"),
        ('{"name": "ann", "items": [{}]}', "properties.items.items.required"),
        ('{"name": "ann", "x-a": "secret"}', "patternProperties.^x-.type"),
        ('{"name": "ann", "secret": 1}', "additionalProperties"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_an_answer_is_valid_or_the_place_in_the_schema_is_said(text: str, said: str | None) -> None:
    problem = Schema(SCHEMA).problem(text)
    if said is None:
        assert problem is None
    else:
        assert problem is not None
        assert said in problem
        assert "secret" not in problem.lower()


def test_expressions_and_references_that_would_take_others_for_ever_end() -> None:
    evil = Schema({"patternProperties": {"^(a+)+$": True}, "additionalProperties": {"pattern": "^(b+)+$"}})
    assert evil.problem(json.dumps({"a" * 50_000 + "!": "b" * 50_000 + "!"})) is not None
    assert Schema({"$ref": "#"}).problem("1") == "JSON that is nested too deeply"


def test_a_stream_is_held_until_it_is_whole_and_known_to_be_valid() -> None:
    made = guard(json_schema=SCHEMA)
    good, bad = '{"name": "ann", "items": []}', '{"name": "ann", "items": 1}'
    for places in ([], [3], [1, 9, 20], range(40)):
        assert streamed(made, cut(good, places)) == (good, None)
        out, stop = streamed(made, cut(bad, places))
        assert out == ""
        assert stop is not None
        assert "properties.items.type" in stop.reason
    assert streamed(made, ["thinking"], "reasoning") == ("thinking", None), "only the answer's text is judged"


def test_masks_and_sizes_hold_beside_a_schema() -> None:
    made = guard(
        json_schema={"type": "array"}, blocked_words=[{"keyword": "apollo", "action": "MASK"}], max_answer_chars=20
    )
    assert streamed(made, list('["apollo"]')) == ('["[KEYWORD_REDACTED]"]', None)
    out, stop = streamed(made, list('["apollo and no end"]'))
    assert out == ""
    assert stop is not None
    assert "20 characters" in stop.reason
