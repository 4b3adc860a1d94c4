"""What cannot work stops the start with an error that names place and mend; files are read beside the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from routeiq_guard_content.config import Config
from routeiq_guard_content.files import shipped, shipped_names
from routeiq_guard_content.options import CategoryFile
from routeiq_guard_content.plugin import GuardContent

from .rows import guard, masked


def problem(folder: Path | None = None, **params: Any) -> tuple[str, str]:
    """The place in the row, and what is said."""
    with pytest.raises(ValidationError) as caught:
        guard(folder, **params)
    (first, *_) = caught.value.errors(include_url=False, include_input=False)
    return ".".join(str(part) for part in first["loc"][3:]), str(first["msg"])


WORD = {"keyword": "x", "action": "MASK"}
REGEX = {"pattern_type": "regex", "name": "mine"}
WRONG: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "nothing to look for": ({}, "", ("blocked_words", "patterns")),
    "an empty word": ({"blocked_words": [{"keyword": "\u200b"}]}, "blocked_words.0", ("word or a phrase",)),
    "an unknown action": (
        {"blocked_words": [{"keyword": "x", "action": "WARN"}]},
        "blocked_words.0.action",
        ("BLOCK", "MASK"),
    ),
    "an unknown key": ({"surprise": 1, "blocked_words": [WORD]}, "surprise", ()),
    "a back-reference": (
        {"patterns": [{**REGEX, "pattern": r"(a)\1"}]},
        "patterns.0",
        ("linear time", "back-references"),
    ),
    "a look-behind": ({"patterns": [{**REGEX, "pattern": "(?<=a)b"}]}, "patterns.0", ("look-around",)),
    "a broken expression": ({"patterns": [{**REGEX, "pattern": "a("}]}, "patterns.0", ("missing )",)),
    "an expression of nothing": ({"patterns": [{**REGEX, "pattern": "a*"}]}, "patterns.0", ("empty text",)),
    "an unknown prebuilt": (
        {"patterns": [{"pattern_type": "prebuilt", "pattern_name": "shoe_size"}]},
        "patterns.0",
        ("us_ssn", "regex of your own"),
    ),
    "a prebuilt with a pattern": (
        {"patterns": [{"pattern_type": "prebuilt", "pattern": "a"}]},
        "patterns.0",
        ("pattern_name",),
    ),
    "a regex without a pattern": ({"patterns": [REGEX]}, "patterns.0", ("a pattern",)),
    "a format without a name": (
        {"pattern_redaction_format": "***", "blocked_words": [WORD]},
        "pattern_redaction_format",
        ("{pattern_name}",),
    ),
    "an unknown category": (
        {"categories": [{"category": "gossip"}]},
        "categories.0",
        ("category_file", "harmful_violence"),
    ),
    "a masked sum": (
        {"categories": [{"category": "harmful_violence", "action": "MASK", "score_threshold": 3}]},
        "categories.0",
        ("BLOCK",),
    ),
    "a mask beside the call": ({"mode": "during_call", "blocked_words": [WORD]}, "", ("during_call", "pre_call")),
    "a schema of requests": ({"mode": "pre_call", "json_schema": {}}, "", ("post_call",)),
    "a request's size in answers": ({"mode": "post_call", "max_tools": 1}, "", ("pre_call",)),
    "a wrong schema": (
        {"json_schema": {"properties": {"a": {"type": "objekt"}}}},
        "json_schema",
        ("properties.a.type",),
    ),
    "a schema elsewhere": ({"json_schema": {"$ref": "https://example.org/s"}}, "json_schema", ("$defs",)),
    "a schema of nothing": ({"json_schema": {"$ref": "#/$defs/a"}}, "json_schema", ("names nothing",)),
    "a schema's expression": ({"json_schema": {"pattern": r"(a)\1"}}, "json_schema", ("linear time",)),
    "a schema that is not served": (
        {"json_schema": {"unevaluatedProperties": False}},
        "json_schema",
        ("unevaluatedProperties",),
    ),
    "an option that is not served": (
        {"image_model": "x", "blocked_words": [WORD]},
        "",
        ("image_model", "guard-external"),
    ),
    "competitors": ({"competitor_intent_config": {"a": 1}, "blocked_words": [WORD]}, "", ("blocked_words",)),
    "a file that is not there": ({"blocked_words_file": "no.yaml"}, "blocked_words_file", ("no.yaml", "Create it")),
    "a schema file that is not there": ({"json_schema": "no.json"}, "json_schema", ("no.json",)),
    "a category file that is not there": (
        {"categories": [{"category": "mine", "category_file": "no.yaml"}]},
        "categories.0",
        ("no.yaml",),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_said_with_its_place_and_mend(case: str, tmp_path: Path) -> None:
    params, place, words = WRONG[case]
    where, said = problem(tmp_path, **params)
    assert where == place
    assert [word for word in words if word not in said] == []


def test_files_are_read_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text(
        "blocked_words:\n  - {keyword: apollo, action: MASK, description: a codename}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "category_name: mine\ndefault_action: MASK\nkeywords: [{keyword: gossip, severity: high}]\n"
        "phrases: [{phrase: they say, severity: low, match_type: exact}]\nexceptions: [gossip column]\n"
    )
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["a"]}')
    made = guard(
        tmp_path,
        blocked_words_file="words.yaml",
        categories=[{"category": "mine", "category_file": str(tmp_path / "mine.yaml")}],
        json_schema="schema.json",
    )
    rules = made.rails[0].options.rules
    assert [each.label for each in rules.inspect("apollo, gossip, a gossip column, they say", "user")] == [
        "a codename",
        "mine",
    ]
    assert rules.schema is not None
    assert rules.schema.problem("{}") is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("blocked_words: [{keyword: ''}]", ("words.yaml", "blocked_words.0.keyword")),
        ("blocked_words: {", ("words.yaml", "line")),
        ("other: 1", ("words.yaml",)),
        ("blocked_words: [{keyword: x, action: MASK}]", ("during_call",)),
    ],
)
def test_a_file_that_cannot_work_is_named(tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    (tmp_path / "words.yaml").write_text(content)
    _, said = problem(tmp_path, mode="during_call", blocked_words_file="words.yaml")
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("kind", ["fuzzy", "proximity"])
def test_ways_of_matching_that_are_not_served_are_said(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"phrases: [{{phrase: plan attack, match_type: {kind}}}]")
    where, said = problem(tmp_path, categories=[{"category": "mine", "category_file": "mine.yaml"}])
    assert where == "categories.0"
    assert "each wording" in said
    assert "mine.yaml" in said


@pytest.mark.parametrize("name", shipped_names())
def test_the_lists_that_come_with_it_hold_grave_and_less_grave_words(name: str) -> None:
    held = CategoryFile.model_validate(shipped(name))
    assert held.category_name == name
    entries = [*held.keywords, *held.phrases]
    assert {"high", "medium", "low"} <= {each.severity for each in entries}
    for phrase in held.phrases:
        row = {"category": name, "severity_threshold": phrase.severity, "action": "MASK"}
        assert masked(f"so {phrase.phrase.upper()} it is", categories=[row]) == "so [KEYWORD_REDACTED] it is"


def callback(
    *, listed: Any = ("apollo",), callbacks: Any = ("banned_keywords",), rows: Any = (), folder: Any = None
) -> GuardContent:
    written = {"callbacks": list(callbacks), "guardrails": list(rows), "banned_keywords_list": listed}
    return GuardContent(Config.model_validate(written, context={"folder": folder}))


def test_banned_keywords_are_refused_in_requests_and_answers(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("apollo\n\ntitan two\n")
    for listed in (["apollo", "titan two"], "words.txt"):
        made = callback(listed=listed, callbacks=("other", "banned_keywords"), folder=tmp_path)
        (rail,) = made.rails
        assert (rail.name, rail.options.default_on, rail.modes) == ("banned_keywords", True, ("pre_call", "post_call"))
        rules = made.inspector(None, rail)  # type: ignore[arg-type]
        assert len(rules.inspect("Apollo and TITAN TWO", "user")) == 2


def test_banned_keywords_as_a_row_take_the_list_and_their_own_words() -> None:
    params = {"guardrail": "banned_keywords", "mode": "pre_call", "blocked_words": [{"keyword": "zeus"}]}
    made = callback(callbacks=(), rows=[{"guardrail_name": "b", "litellm_params": params}])
    rules = made.inspector(None, made.rails[0])  # type: ignore[arg-type]
    assert len(rules.inspect("apollo zeus", "user")) == 2


def test_half_a_setting_of_banned_keywords_is_said() -> None:
    with pytest.raises(ValidationError, match=r"add banned_keywords to litellm_settings\.callbacks"):
        callback(callbacks=())
    with pytest.raises(ValidationError, match=r"write litellm_settings\.banned_keywords_list"):
        callback(listed=[])
