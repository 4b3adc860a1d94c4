"""A stream is judged like the whole text, however it is cut; and what need not be held is not held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_guard_content.plugin import GuardContent
from routeiq_guard_content.prebuilt import PREBUILT
from routeiq_sdk.guards import Finding
from routeiq_sdk.guards.findings import replaced
from routeiq_sdk.testing import make_context

from .rows import cut, guard, streamed

WORDS = {
    "blocked_words": [
        {"keyword": "red plan", "action": "MASK"},
        {"keyword": "redder", "action": "MASK"},
        {"keyword": "café", "action": "MASK"},
        {"keyword": "ệ1", "action": "MASK"},
        {"keyword": "an", "action": "MASK", "whole_word": True},
        {"keyword": "ﬁre", "action": "MASK"},
        {"keyword": "秘密", "action": "MASK", "whole_word": True},
    ]
}
WORD_PIECES = [
    "red", "RED", " ", "\n", "\t ", "plan", "der", "an", "n", "a", "café", "cafe", "\u0301", "\u0323", "\u0302", "e",
    "ê", "1", "ﬁ", "fi", "re", "秘", "密", "\u200b", "\u00ad", "\u0336", ".", "_", "é", "ｒ", "İ", "ß", "\ud83d", "😀",  # noqa: RUF001
]  # fmt: skip
TOPIC_PIECES = ["pipe", " ", "bomb", " bomb disposal", "disposal", "dirty ", "\n", "make a ", "ghost gun", "s", "x"]
EXPRESSIONS = {
    "stream_window": 16,
    "patterns": [
        {"pattern_type": "regex", "name": "ticket", "pattern": r"\bTCK-\d{3}\b", "action": "MASK"},
        {"pattern_type": "regex", "name": "tail", "pattern": r"(?m)x+$", "action": "MASK"},
        {"pattern_type": "regex", "name": "start", "pattern": r"\Aab", "action": "MASK"},
        {"pattern_type": "regex", "name": "either", "pattern": r"cab|ca|abcd", "action": "MASK"},
        {"pattern_type": "regex", "name": "short", "pattern": r"k[lm]{0,2}k", "action": "MASK", "longest_match": 4},
        {"pattern_type": "regex", "name": "last", "pattern": r"zz\z", "action": "MASK"},
        {"pattern_type": "regex", "name": "not within", "pattern": r"\Bq\B", "action": "MASK"},
    ],
}
EXPRESSION_PIECES = [
    "TCK-", "123", "4", " ", "x", "\n", "ab", "c", "a", "cab", "d", "k", "l", "m", "z", "q", "é", ".", "\ud83d", "-",
    "😀",
]  # fmt: skip
PREBUILTS = {"patterns": [{"pattern_type": "prebuilt", "pattern_name": name, "action": "MASK"} for name in PREBUILT]}
PREBUILT_PIECES = [
    "4111 1111 1111 1111", "4111-1111", "1111", "1234 ", "123-45-6789", "a@", "b.example.org", ".", "-", " ", "\n",
    "https://", "x/y?z=1", "AKIAIOSFODNN7EXAMPLE", "10.0.0.", "255", "+1", " (555) ", "123-4567", "::", "fe80", ":",
    "1",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "www.", "é",
]  # fmt: skip
CODE: dict[str, Any] = {"guardrail": "block_code_execution", "blocked_languages": ["python"], "action": "mask"}
CODE_PIECES = [
    "```", "`", "``", "````", "~~~", "~", "python", "py", "text", "\n", "\r\n", " ", "    ", "x", "> ", "- ", "1. ",
    "y" * 199, "{.python}", "import os\n", "```python\n", "\n```\n",
]  # fmt: skip
ALL: dict[str, Any] = {
    **WORDS,
    **EXPRESSIONS,
    "blocked_languages": ["python"],
    "action": "mask",
    "categories": [{"category": "harmful_illegal_weapons", "action": "MASK"}],
}
TOPICS = {"categories": ALL["categories"]}
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "words": (WORDS, WORD_PIECES),
    "topics": (TOPICS, TOPIC_PIECES),
    "expressions": (EXPRESSIONS, EXPRESSION_PIECES),
    "prebuilt": (PREBUILTS, PREBUILT_PIECES),
    "code": (CODE, CODE_PIECES),
    "any code": ({"guardrail": "block_code_execution", "action": "mask"}, CODE_PIECES),
    "all": (ALL, [*WORD_PIECES, *TOPIC_PIECES, *EXPRESSION_PIECES, *CODE_PIECES]),
}


MASKING = {name: guard(**params) for name, (params, _) in CASES.items()}


def whole(made: GuardContent, text: str) -> Sequence[Finding]:
    """What is found in the whole text."""
    return made.inspector(make_context(), made.rails[0]).inspect(text, "user")


def holding(text: str) -> bool:
    """Whether a match of the test's own expressions may be longer than the window."""
    return "x" * 16 in text or any(len(run) > 16 for run in text.split("\n") if set(run) <= {"x"})


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_masked_text_is_the_same_however_it_is_cut(case: str, data: st.DataObject) -> None:
    _, pieces = CASES[case]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=24)))
    if holding(text):
        return
    places = data.draw(st.lists(st.integers(0, 400), max_size=12))
    made = MASKING[case]
    expected = replaced(text, whole(made, text))
    for cuts in (cut(text, places), list(text), [text]):
        assert streamed(made, cuts) == (expected, None), cuts


def blocking(params: dict[str, Any]) -> dict[str, Any]:
    """The same row, refusing."""
    rows = {
        key: [{**row, "action": "BLOCK"} for row in params[key]]
        for key in ("blocked_words", "patterns", "categories")
        if key in params
    }
    return {**params, **rows, **({"action": "block"} if "action" in params else {})}


REFUSING = {name: guard(**blocking(params)) for name, (params, _) in CASES.items()}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_verdict_is_the_same_however_it_is_cut_and_nothing_of_a_finding_goes_out(
    case: str, data: st.DataObject
) -> None:
    _, pieces = CASES[case]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=24)))
    if holding(text):
        return
    places = data.draw(st.lists(st.integers(0, 400), max_size=12))
    refusing = REFUSING[case]
    findings = whole(refusing, text)
    first = min((finding.start for finding in findings), default=len(text))
    for cuts in (cut(text, places), list(text)):
        out, stop = streamed(refusing, cuts)
        assert (stop is not None) == bool(findings), cuts
        assert text[:first].startswith(out)
        assert findings or out == text


def held(made: GuardContent, text: str) -> int:
    """The most characters that are held while a text comes character by character."""
    item: Any = made.stream_filter(make_context())
    out, most = 0, 0
    for count, char in enumerate(text, start=1):
        out += len("".join(item.feed(char)))
        most = max(most, count - out)
    return most


PROSE = "The reader of a red book plans an evening; nobody minds that the plan is cold.\n" * 4


def test_words_hold_only_what_may_still_become_one() -> None:
    words = {"blocked_words": [{"keyword": "red plan", "action": "MASK"}, {"keyword": "evergreen", "action": "MASK"}]}
    assert held(guard(**words), PROSE) <= len("red ")


def test_expressions_hold_their_window_and_no_more() -> None:
    rows = [{"pattern_type": "regex", "name": "t", "pattern": r"TCK-\d+", "action": "MASK"}]
    assert held(guard(stream_window=40, patterns=rows), PROSE) == 40
    rows[0] |= {"longest_match": 10}
    assert held(guard(stream_window=40, patterns=rows), PROSE) == 10


def test_expressions_without_white_space_hold_the_last_word() -> None:
    rows = [{"pattern_type": "prebuilt", "pattern_name": "email", "action": "MASK"}]
    assert held(guard(patterns=rows), PROSE) <= len("evening;") + 1


def test_code_holds_only_what_may_still_become_a_fence() -> None:
    assert held(guard(**CODE), PROSE) <= 1


@pytest.mark.parametrize("flood", ["\u200b", " ", "`", "\u0301"])
def test_what_may_go_on_for_ever_is_stopped_and_not_let_out(flood: str) -> None:
    words = [{"keyword": "red plan", "action": "MASK"}, {"keyword": "red\u0301 x", "action": "MASK"}]
    made = guard(blocked_words=words, blocked_languages=[], action="mask")
    out, stop = streamed(made, ["red", *[flood * 1000] * 100])
    assert stop is not None or flood in out


def test_a_block_of_code_is_masked_without_being_held() -> None:
    made = guard(**CODE)
    item: Any = made.stream_filter(make_context())
    assert "".join(item.feed("a\n```python\n")) == "a\n"
    for _ in range(1000):
        assert item.feed("print('x' * 1000)  # and more\n" * 10) == []
    assert "".join(item.feed("```\nb")) == "[CODE_BLOCK_REDACTED]\nb"


SIZED: dict[str, Callable[[str], list[str]]] = {"whole": lambda text: [text], "by character": list}


@pytest.mark.parametrize("how", SIZED)
def test_a_size_is_exact(how: str) -> None:
    made = guard(max_answer_chars=10)
    assert streamed(made, SIZED[how]("0123456789")) == ("0123456789", None)
    out, stop = streamed(made, SIZED[how]("0123456789+"))
    assert stop is not None
    assert "10 characters" in stop.reason
    assert "0123456789".startswith(out)
