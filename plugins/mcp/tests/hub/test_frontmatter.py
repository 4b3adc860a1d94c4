"""Frontmatter against an entry: readings of one text are the same, every other difference is one."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_mcp.hub.frontmatter import says


def skill_md(head: str) -> bytes:
    return f"---\n{head}\n---\n# Body\n".encode()


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("name: a\ndescription: >-\n  two\n  lines", {"description": "two lines", "name": "a"}),
        ("n: 5", {"n": 5}),
        ("n: 5", {"n": "5"}),
        ("n: 5.0", {"n": 5}),
        ("n: 1e3", {"n": 1000}),
        ("n: yes", {"n": True}),
        ("n: yes", {"n": "yes"}),
        ("n:", {"n": None}),
        ("n: ~", {"n": None}),
        ("n: ''", {"n": ""}),
        ("n: 2026-11-26", {"n": "2026-11-26"}),
        ("n: 2026-11-26", {"n": "2026-11-26T00:00:00.000Z"}),
        ("n: 2026-11-26 10:00:00 +02:00", {"n": "2026-11-26T08:00:00Z"}),
        ("m: {a: [1, x, {b: false}]}", {"m": {"a": [1, "x", {"b": False}]}}),
        ("1: x", {"1": "x"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("name: ä", {"name": "ä"}),
    ],
)
def test_readings_of_one_text_are_the_same(head: str, told: dict[str, Any]) -> None:
    assert says(skill_md(head), told)
    assert says(skill_md(head).replace(b"\n", b"\r\n"), told)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("n: 5", {"n": 6}),
        ("n: '5'", {"n": 5}),
        ("n: '1e3'", {"n": 1000}),
        ("n: 1", {"n": True}),
        ("n: true", {"n": 1}),
        ("n: x", {"n": 1}),
        ("n: x", {"n": None}),
        ("n: x", {}),
        ("n: x", {"n": "x", "m": "y"}),
        ("n: x\nn: x", {"n": "x"}),
        ("n: [a]", {"n": ["a", "b"]}),
        ("n: [a]", {"n": "a"}),
        ("n: a", {"n": ["a"]}),
        ("n: {a: b}", {"n": ["a"]}),
        ("n: 2026-11-26", {"n": "2026-11-27"}),
        ("n: 2026-11-26", {"n": "later"}),
        ("? [a]\n: x", {"n": "x"}),
        ("- a", {}),
        ("n: [", {"n": []}),
        ("n: " + "[" * 5000, {"n": []}),
        ("", {"n": "x"}),
        ("n: " + "x" * 70_000, {"n": "x" * 70_000}),
    ],
)
def test_every_other_difference_is_one(head: str, told: dict[str, Any]) -> None:
    assert not says(skill_md(head), told)


@pytest.mark.parametrize(
    "content", [b"", b"# No head\n", b"---\nn: x\n", b"---\nn: \xff\n---\n", b"\n---\nn: x\n---\n"]
)
def test_what_has_no_head_says_nothing(content: bytes) -> None:
    assert not says(content, {"n": "x"})


def test_a_document_that_unfolds_without_end_ends() -> None:
    bomb = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 40))
    assert not says(skill_md(bomb), {f"a{n}": ["x"] for n in range(40)})
