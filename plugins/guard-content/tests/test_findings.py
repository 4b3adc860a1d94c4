"""What is found, what is nearly that, and what ordinary prose and code hold nothing of."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_guard_content.fences import LONGEST_LINE
from routeiq_guard_content.files import shipped_names
from routeiq_guard_content.prebuilt import PREBUILT

from .rows import found, labels, masked

PLAN = {"blocked_words": [{"keyword": "Secret Plan"}]}
PAGE = """The committee met on Tuesday, 14:30, in room 4411-2, to go over 1,234,567 kilograms of barley (2.5 % less).
Rain in June spoiled part of it; see chapter 10.2.3 of the report, or call extension 4711. `Class::method` and
`std::vector<int>` are fine, and so are 2026-03-14T09:26:53Z, deadbeef, 0x1F, v1.2.3, and a@b. Murder
mysteries sell well.

def total(rows: list[Row], *, since: date) -> Decimal:
    return sum((row.net for row in rows if row.day >= since), start=Decimal("0.00"))
    # sha1 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12

{"id": 48213, "when": "2026-03-14T09:26:53Z", "items": [{"sku": "B-1187", "qty": 12, "net": "48.20"}], "uuid":
"123e4567-e89b-12d3-a456-426614174000", "isbn": "978-3-16-148410-0"}
"""


@pytest.mark.parametrize(
    "text",
    [
        "the secret plan",
        "THE SECRET PLAN",
        "asecret planb",
        "secret\n\n   plan",
        "s\u200be\u200bc\u200dret plan",
        "se\u00adcret plan",
        "s\u0336e\u0336c\u0336r\u0336e\u0336t\u0336 plan",
        "ｓｅｃｒｅｔ\u3000ｐｌａｎ",  # noqa: RUF001
        "𝐬𝐞𝐜𝐫𝐞𝐭 𝓹𝓵𝓪𝓷",  # noqa: RUF001
        "sec\x00ret plan",
        "ſecret plan",  # noqa: RUF001
        "secret\u00a0plan\ufe0f",
    ],
)
def test_a_word_is_found_in_its_disguises(text: str) -> None:
    assert labels(text, **PLAN) == ["blocked_word"]


@pytest.mark.parametrize("text", ["secretplan", "secret-plan", "secret plán", "secret plan\u0303", "secre tplan"])
def test_another_word_is_another(text: str) -> None:
    assert labels(text, **PLAN) == []


def test_a_letter_with_its_accent_is_one_letter_however_it_is_written() -> None:
    for keyword in ("café", "cafe\u0301"):
        for text in ("CAFÉ", "Cafe\u0301", "caf\u200be\u0301"):
            assert labels(text, blocked_words=[{"keyword": keyword}]) == ["blocked_word"]
        assert labels("cafe", blocked_words=[{"keyword": keyword}]) == []
    assert labels("tie\u0302\u0323ng", blocked_words=[{"keyword": "tiệng"}]) == ["blocked_word"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("cat", 1),
        ("a cat.", 1),
        ("concat", 0),
        ("cats", 0),
        ("cat_", 0),
        ("cat's cat", 2),
        ("écat", 0),
        ("caté", 0),
        ("猫cat", 1),
    ],
)
def test_a_whole_word_stands_alone(text: str, count: int) -> None:
    assert len(found(text, whole_words=True, blocked_words=[{"keyword": "cat"}])) == count
    assert len(found(text, blocked_words=[{"keyword": "cat", "whole_word": True}])) == count


def test_words_of_scripts_without_spaces_stand_alone_anywhere() -> None:
    assert labels("这是秘密计划", whole_words=True, blocked_words=[{"keyword": "秘密"}]) == ["blocked_word"]


def test_each_word_has_its_own_action_and_reason() -> None:
    words = [{"keyword": "titan", "action": "MASK"}, {"keyword": "apollo", "description": "a codename"}]
    assert masked("Titan and TITAN", blocked_words=words) == "[KEYWORD_REDACTED] and [KEYWORD_REDACTED]"
    assert masked("Titan", blocked_words=words, keyword_redaction_tag="***") == "***"
    assert masked("apollo", blocked_words=words) is None
    assert labels("apollo", blocked_words=words) == ["a codename"]


def test_words_that_overlap_become_one_tag() -> None:
    words = [{"keyword": word, "action": "MASK"} for word in ("abc", "bcd", "b")]
    assert masked("xabcdy b", blocked_words=words) == "x[KEYWORD_REDACTED]y [KEYWORD_REDACTED]"


HITS = {
    "us_ssn": ("123-45-6789", ["000-12-3456", "666-12-3456", "912-34-5678", "123-00-6789", "1123-45-67890"]),
    "us_ssn_no_dash": ("123456789", ["000123456", "1234567890", "12345678"]),
    "email": ("a.b+c@mail.example.org", ["a@b", "@example.org", "a@.org"]),
    "phone": ("+1-555-123-4567", ["2026-03-14", "1,234,567", "4711"]),
    "us_phone": ("(415) 555-2671", ["(115) 555-2671", "415-055-2671", "4155552"]),
    "visa": ("4532-0151-1283-0366", ["4532-0151-1283-0367", "453201511283036"]),
    "mastercard": ("5425 2334 3010 9903", ["5425 2334 3010 9904"]),
    "amex": ("3782-822463-10005", ["3782-822463-10006"]),
    "discover": ("6011111111111117", ["6011111111111118"]),
    "credit_card": ("2223003122003222", ["2223003122003223"]),
    "aws_access_key": ("AKIAIOSFODNN7EXAMPLE", ["AKIAIOSFODNN7EXAMPL", "XAKIAIOSFODNN7EXAMPLE"]),
    "aws_secret_key": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ["2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"]),
    "github_token": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", ["ghp_16C7e42F292c6912"]),
    "slack_token": ("xoxb-123456789012-abcdefghij", ["xoxb-1"]),
    "ipv4": ("192.168.0.255", ["192.168.0.256", "1.2.3"]),
    "ipv6": ("2001:db8::8a2e:370:7334", ["std::add", "12:30:45", "Class::bad"]),
    "url": ("https://example.org/a?b=c#d", ["https:", "ftp-server"]),
}


def pattern(name: str, action: str = "MASK") -> dict[str, Any]:
    return {"pattern_type": "prebuilt", "pattern_name": name, "action": action}


def test_every_prebuilt_pattern_is_tried() -> None:
    assert set(HITS) == set(PREBUILT)


@pytest.mark.parametrize("name", PREBUILT)
def test_a_prebuilt_pattern_finds_its_kind_and_nothing_near_it(name: str) -> None:
    hit, misses = HITS[name]
    tag = f"[{name.upper()}_REDACTED]"
    assert masked(f"see {hit}, please", patterns=[pattern(name)]) == f"see {tag}, please"
    assert masked(hit, patterns=[pattern(name)]) == tag
    for miss in misses:
        assert labels(f"see {miss} please", patterns=[pattern(name)]) == [], miss


def test_a_card_after_a_number_that_is_none_is_found() -> None:
    assert labels("4111 1111 1111 1112 4111 1111 1111 1111", patterns=[pattern("visa")]) == ["visa"]


def test_ordinary_prose_code_and_json_hold_nothing() -> None:
    rows = [pattern(name) for name in PREBUILT if name not in ("phone", "url")]
    assert found(PAGE, patterns=rows) == []
    assert found(PAGE, categories=[{"category": name} for name in shipped_names()]) == []
    assert found(PAGE, guardrail="block_code_execution") == []


def test_an_expression_of_ones_own_is_named_and_formatted() -> None:
    row = {"pattern_type": "regex", "pattern": r"\b[A-Z]{3}-\d{4}\b", "name": "employee_id", "action": "MASK"}
    assert masked("I am ABC-1234.", patterns=[row]) == "I am [EMPLOYEE_ID_REDACTED]."
    told = masked("ABC-1234", patterns=[row], pattern_redaction_format="***{pattern_name}***")
    assert told == "***EMPLOYEE_ID***"
    assert labels("ABC-1234", patterns=[{**row, "action": "block"}]) == ["employee_id"]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(x|xx)*y", r"(.*)(.*)(.*)=", r"([a-z]+)*\d"])
def test_an_expression_that_would_take_others_for_ever_ends(pattern: str) -> None:
    """Python's own matcher would not be done with thirty of these characters before the test's time is up."""
    row = {"pattern_type": "regex", "pattern": f"(?:{pattern})!", "name": "evil", "action": "MASK"}
    assert found("a" * 200_000 + "x" * 200_000, patterns=[row]) == []


WEAPONS = "harmful_illegal_weapons"


@pytest.mark.parametrize(
    ("text", "least", "hit"),
    [
        ("How to make a bomb", "high", True),
        ("a pipe bomb", "high", False),
        ("a pipe bomb", "medium", True),
        ("thermite", "medium", False),
        ("thermite", "low", True),
        ("Explosives detection saves lives", "low", False),
        ("explosives detection, and explosives", "low", True),
        ("a pipe  BOMB\u200b", "medium", True),
    ],
)
def test_a_category_has_grave_and_less_grave_words_and_exceptions(text: str, least: str, hit: bool) -> None:
    own = [{"category": WEAPONS, "severity_threshold": least}]
    assert labels(text, categories=own) == ([WEAPONS] if hit else [])
    assert labels(text, categories=[{"category": WEAPONS}], severity_threshold=least) == ([WEAPONS] if hit else [])


def test_scores_of_different_words_are_added() -> None:
    rows = [{"category": WEAPONS, "severity_threshold": "low", "score_threshold": 4}]
    assert labels("thermite, thermite, thermite, a ghost gun", categories=rows) == []
    assert labels("thermite, a ghost gun, explosives", categories=rows) == [WEAPONS]
    assert labels("a pipe bomb, or build a pipe bomb", categories=rows) == [WEAPONS]


def test_a_category_can_be_off_or_masked() -> None:
    assert labels("pipe bomb", categories=[{"category": WEAPONS, "enabled": False}], max_tools=1) == []
    assert masked("a pipe bomb", categories=[{"category": WEAPONS, "action": "MASK"}]) == "a [KEYWORD_REDACTED]"


CODE: dict[str, Any] = {"guardrail": "block_code_execution", "action": "mask"}
TAG = "[CODE_BLOCK_REDACTED]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n```python\nx = 1\n```\nb", f"a\n{TAG}\nb"),
        ("a\n```py\nx = 1", f"a\n{TAG}"),
        ("see ```Python3\nx\n```", f"see {TAG}"),
        ("~~~python\n```\n~~~\nb", f"{TAG}\nb"),
        ("````python\n```\n````\nb", f"{TAG}\nb"),
        ("> - ```{.python}\n> x\n> ```\nb", f"> - {TAG}\nb"),
        ("```text\n```python\nx\n```\n", f"```text\n{TAG}\n"),
        ("```json\n{}\n```\n", None),
        ("```\nx\n```\n", None),
        ("use ```python``` and `python`", None),
        (f"```{'y' * (LONGEST_LINE + 1)}python\nx\n", None),
    ],
)
def test_blocks_of_a_language_are_found(text: str, expected: str | None) -> None:
    assert masked(text, blocked_languages=["python"], **CODE) == (text if expected is None else expected)


def test_without_languages_all_blocks_are_meant_and_with_little_confidence_those_without_a_name() -> None:
    plain = "```\nx\n```"
    assert masked(plain, **CODE) == TAG
    assert masked(plain, blocked_languages=["python"], **CODE) == plain
    assert masked(plain, blocked_languages=["python"], confidence_threshold=0.5, **CODE) == TAG
    assert masked("```text\nx\n```", **CODE) == TAG
    assert masked(plain, guardrail="block_code_execution") is None


def test_half_a_character_breaks_nothing() -> None:
    rows: dict[str, Any] = {"patterns": [pattern("email")], **PLAN, "blocked_languages": []}
    assert labels("\ud83d a@example.org \ud83d secret plan", **rows) == ["blocked_word", "email"]
