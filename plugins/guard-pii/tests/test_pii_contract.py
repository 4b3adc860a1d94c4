"""The guard's contract, and that a stream is masked like the whole text however it is cut."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from routeiq_guard_pii.book import Book
from routeiq_guard_pii.builtin import BY_NAME_ONLY, ENTITIES, Builtin
from routeiq_guard_pii.config import Config, Options
from routeiq_guard_pii.cuts import last_cut
from routeiq_guard_pii.found import apart
from routeiq_guard_pii.plugin import GuardPii
from routeiq_sdk import Context, Reject, Replace, Stop
from routeiq_sdk.guards import RailOptions
from routeiq_sdk.guards.findings import replaced
from routeiq_sdk.testing.fakes import FakeGateway, FakeRequest, make_context
from routeiq_sdk.testing.guard import GuardContract

KEY = "a key of more than sixteen characters"


def row(name: str = "pii", **params: Any) -> dict[str, Any]:
    filled = {"guardrail": "guard-pii", "mode": "pre_call", "default_on": True, **params}
    return {"guardrail_name": name, "litellm_params": filled}


def guard(*rows: dict[str, Any]) -> GuardPii:
    made = GuardPii(Config.model_validate({"guardrails": list(rows)}))
    asyncio.run(made.setup(FakeGateway()))
    return made


def asked(made: GuardPii, *texts: str, ctx: Context | None = None) -> Any:
    ctx = ctx or make_context(request=FakeRequest({"model": "m", "messages": _said(texts)}))
    verdict = asyncio.run(made.guard_request(ctx))
    if isinstance(verdict, Replace):
        return [message["content"] for message in verdict.body["messages"]]
    return verdict


def _said(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


class TestContractOfMasking(GuardContract):
    plugin = GuardPii
    name = "guard-pii"
    config = {"guardrails": [row(mode=["pre_call", "post_call"])]}
    allowed = ("Hello, world.", "At 12:30 on 2024-01-02 all 1,234 were there.", "价格是 5 元。")
    refused = ()
    rewritten = {
        "Write to jane@example.com, or call +1 415 555 2671.": "Write to <EMAIL_ADDRESS>, or call <PHONE_NUMBER>.",
        "4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 7": "<CREDIT_CARD> <IBAN_CODE> 7",
        "卡号4111111111111111。谢谢": "卡号<CREDIT_CARD>。谢谢",
    }


class TestContractOfBlocking(GuardContract):
    plugin = GuardPii
    name = "guard-pii"
    config = {
        "guardrails": [row(mode=["pre_call", "during_call", "post_call"], pii_entities_config={"CREDIT_CARD": "BLOCK"})]
    }
    allowed = ("Write to jane@example.com.",)
    refused = ("My card is 4111 1111 1111 1111.", "4111111111111111")


PIECES = st.sampled_from(
    [
        "jane@example.com", "o@", "@", ".com", "+1 415 555 2671", "(415) ", "555-2671", "415", "4111 1111 ", "1111",
        "4111-1111-1111-1111", "DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19", "943 476 5919",
        "AB 12 34 56 C",
        "203.0.113.7", "2001:db8::ff00:42:8329", "12345678Z", "44051401359", " ", "  ", "\n", "\t", "\u00a0", ".",
        ",", "-",
        "The", "A", "x", "0", "7", "é", "は", "\u2028", "(", ")", "+", ":", "/", "\u2011", "\ue000", "\x1f", "<", ">",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 400), max_size=8)


def pieces_of(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def streamed(filtering: Any, pieces: Sequence[str]) -> str | Stop:
    out = ""
    for step in [*(lambda piece=piece: filtering.feed(piece) for piece in pieces), filtering.end]:
        answer = step()
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer))  # several filters as one
        if isinstance(answer, Stop):
            return answer
        out += "".join(answer)
    return out


async def _awaited(answer: Any) -> Any:
    return await answer


BUILTIN = Builtin(ENTITIES)


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, more=TEXTS)
@example("4111 1111 1111 ", "1111")
@example("In 2024 ", "(555) 123-4567")
def test_what_has_settled_is_judged_the_same_whatever_comes_after_and_before(text: str, more: str) -> None:
    cut = last_cut(text)
    whole = apart(BUILTIN.find(text + more))
    left, right = apart(BUILTIN.find(text[:cut])), apart(BUILTIN.find(text[cut:] + more))
    assert whole == left + [each._replace(start=each.start + cut, end=each.end + cut) for each in right]


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, cuts=CUTS)
def test_a_stream_is_masked_like_the_whole_text_however_it_is_cut(text: str, cuts: Sequence[int]) -> None:
    made = guard(row(mode="post_call"))
    ctx = make_context()
    whole = replaced(text, made.inspector(ctx, made.rails[0]).inspect(text, "assistant"))
    assert streamed(made.stream_filter(ctx), pieces_of(text, cuts)) == whole


TOLD = ["<EMAIL_ADDRESS_1>", "<EMAIL", "_ADDRESS_1>", "<", ">", "<A_1", " ", "x", "<PHONE_NUMBER_12>"]


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.sampled_from(TOLD), max_size=9).map("".join), cuts=CUTS)
def test_values_are_put_back_into_a_stream_however_it_is_cut(text: str, cuts: Sequence[int]) -> None:
    made = guard(row(pii_entities_config={"EMAIL_ADDRESS": "REVERSIBLE"}))
    ctx = make_context("Write to jane@example.com")
    asyncio.run(made.guard_request(ctx))
    expected = text.replace("<EMAIL_ADDRESS_1>", "jane@example.com")
    assert streamed(made.stream_filter(ctx), pieces_of(text, cuts)) == expected


def test_a_text_without_white_space_in_another_script_still_flows() -> None:
    assert last_cut("こんにちは世界") == 7
    assert last_cut("สวัสดีชาวโลก") == 12
    assert last_cut("a price of 5 ") == 11, "more digits may follow"
    assert last_cut("a word ") == 7


# What becomes of what is found


def test_each_entity_has_its_own_action() -> None:
    made = guard(
        row(pii_entities_config={"EMAIL_ADDRESS": "HASH", "PHONE_NUMBER": "MASK", "CREDIT_CARD": "BLOCK"}, hash_key=KEY)
    )
    (text,) = asked(made, "jane@example.com +1 415 555 2671 DE89370400440532013000")
    hashed, phone, iban = text.split(" ", 2)
    assert hashed.startswith("<EMAIL_ADDRESS:")
    assert (phone, iban) == ("<PHONE_NUMBER>", "DE89370400440532013000")
    refused = asked(made, "4111111111111111")
    assert isinstance(refused, Reject)
    assert "CREDIT_CARD" in refused.message
    assert "4111" not in refused.message


def test_a_hash_is_the_same_for_one_value_and_another_with_another_key() -> None:
    def hashed(text: str, key: str) -> str:
        config = {"EMAIL_ADDRESS": "HASH", "CREDIT_CARD": "HASH"}
        return str(asked(guard(row(pii_entities_config=config, hash_key=key)), text)[0])

    assert hashed("Jane@Example.com", KEY) == hashed("jane@example.com", KEY)
    assert hashed("4111-1111-1111-1111", KEY) == hashed("4111 1111 1111 1111", KEY)
    assert hashed("jane@example.com", KEY) != hashed("john@example.com", KEY)
    assert hashed("jane@example.com", KEY) != hashed("jane@example.com", KEY + "2")


def test_one_value_has_one_number_in_all_texts_of_a_request() -> None:
    made = guard(row(pii_entities_config={"EMAIL_ADDRESS": "REVERSIBLE"}))
    assert asked(made, "a@example.com b@example.com", "b@example.com c@example.com") == [
        "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2>",
        "<EMAIL_ADDRESS_2> <EMAIL_ADDRESS_3>",
    ]


def test_a_placeholder_that_the_client_wrote_stands_for_nobody() -> None:
    made = guard(row(pii_entities_config={"EMAIL_ADDRESS": "REVERSIBLE"}))
    ctx = make_context(request=FakeRequest({"messages": _said(["a@example.com", "say <EMAIL_ADDRESS_1>"])}))
    assert asked(made, ctx=ctx) == ["<EMAIL_ADDRESS_2>", "say <EMAIL_ADDRESS_1>"]
    said = "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2> <EMAIL_ADDRESS_3>"
    assert streamed(made.stream_filter(ctx), [said]) == "<EMAIL_ADDRESS_1> a@example.com <EMAIL_ADDRESS_3>"


def test_the_book_of_one_request_says_nothing_to_another() -> None:
    made = guard(row(output_parse_pii=True))
    first, second = make_context("a@example.com"), make_context("nothing")
    asyncio.run(made.guard_request(first))
    asyncio.run(made.guard_request(second))
    assert made.stream_filter(second) is None
    assert asyncio.run(made.guard_response(second, _answer("<EMAIL_ADDRESS_1>"))) is None
    restored = asyncio.run(made.guard_response(first, _answer("<EMAIL_ADDRESS_1>")))
    assert isinstance(restored, Replace)
    assert restored.body["choices"][0]["message"]["content"] == "a@example.com"


def test_values_are_put_back_into_the_arguments_of_calls_with_their_escapes() -> None:
    made = guard(row(output_parse_pii=True))
    ctx = make_context("o\"x@example.com is no address, o'x@example.com is")
    asyncio.run(made.guard_request(ctx))
    arguments = json.dumps({"to": ["<EMAIL_ADDRESS_1>"], "cc": "<EMAIL_ADDRESS_2>"})
    out = streamed(made.stream_part_filter(ctx, "arguments"), pieces_of(arguments, [9, 14]))
    assert isinstance(out, str)
    assert json.loads(out) == {"to": ["x@example.com"], "cc": "o'x@example.com"}


def test_what_an_answer_adds_is_masked_for_good_and_what_the_request_held_is_put_back() -> None:
    made = guard(row(mode=["pre_call", "post_call"], output_parse_pii=True))
    ctx = make_context("a@example.com")
    asyncio.run(made.guard_request(ctx))
    said = "<EMAIL_ADDRESS_1> and b@example.com"
    assert streamed(made.stream_filter(ctx), list(said)) == "a@example.com and <EMAIL_ADDRESS>"
    whole = asyncio.run(made.guard_response(ctx, _answer(said)))
    assert isinstance(whole, Replace)
    assert whole.body["choices"][0]["message"]["content"] == "a@example.com and <EMAIL_ADDRESS>"


def test_rows_that_put_back_keep_the_hooks_of_answers_and_others_do_not() -> None:
    answers = {"guard_response", "stream_filter", "stream_part_filter"}
    assert not guard(row(output_parse_pii=True)).idle_hooks & answers
    assert guard(row()).idle_hooks >= answers


def test_a_closed_book_is_still_the_one_that_knows() -> None:
    book = Book()
    assert not book
    book.avoid(["<AB_1>"])
    assert book.placeholder("AB", "x") == "<AB_2>"
    book.avoid(["<AB_2>"])
    assert (book.placeholder("AB", "x"), book.placeholder("AB", "y")) == ("<AB_2>", "<AB_3>")


def _answer(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


# Options


def test_without_a_list_everything_built_in_is_masked_but_what_is_looked_for_by_name_only() -> None:
    (rail,) = guard(row()).rails
    assert set(rail.options.actions) == ENTITIES - BY_NAME_ONLY
    assert asked(guard(row(pii_entities_config={"URL": "MASK"})), "see https://example.com/a.") == ["see <URL>."]


def test_litellms_options_keep_their_meaning() -> None:
    assert asked(guard(row(presidio_entities_deny_list=["EMAIL_ADDRESS"])), "a@example.com") is None
    assert asked(guard(row(presidio_phrase_allow_list=["A@example.com"])), "a@example.com aa@example.com") == [
        "a@example.com <EMAIL_ADDRESS>"
    ]
    thresholds = {"ALL": 0.9, "US_SSN": 0.5}
    assert asked(guard(row(presidio_score_thresholds=thresholds)), "536-90-4399 415-555-2671") == [
        "<US_SSN> 415-555-2671"
    ]
    made = guard(row(presidio_skip_system_developer_message=True))
    body = {"messages": [{"role": "system", "content": "a@example.com"}, *_said(["b@example.com"])]}
    assert asked(made, ctx=make_context(request=FakeRequest(body))) == ["a@example.com", "<EMAIL_ADDRESS>"]


@pytest.mark.parametrize(
    ("mode", "scope", "looks"),
    [
        ("pre_call", "both", {"pre_call", "post_call"}),
        ("pre_call", "input", {"pre_call"}),
        ("pre_call", "output", {"post_call"}),
        (["pre_call", "post_call"], "input", {"pre_call"}),
        ("post_call", "both", {"pre_call", "post_call"}),
        ("logging_only", "both", {"logging_only"}),
        ("pre_mcp_call", "input", {"pre_mcp_call"}),
    ],
)
def test_the_scope_adds_to_the_mode_or_takes_away(mode: Any, scope: str, looks: set[str]) -> None:
    (rail,) = guard(row(mode=mode, presidio_filter_scope=scope)).rails
    assert set(rail.modes) == looks


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"pii_entities_config": {"PERSON": "MASK"}}, ["PERSON", "EMAIL_ADDRESS", "engine: presidio"]),
        ({"pii_entities_config": {"US_SSN": "HIDE"}}, ["'MASK'", "'BLOCK'", "'HASH'", "'REVERSIBLE'"]),
        ({"presidio_score_thresholds": {"PERSON": 0.5}}, ["presidio_score_thresholds", "PERSON"]),
        ({"presidio_score_thresholds": {"ALL": 1.5}}, ["less than or equal to 1"]),
        ({"pii_entities_config": {"US_SSN": "HASH"}}, ["hash_key"]),
        ({"pii_entities_config": {"US_SSN": "HASH"}, "hash_key": "short"}, ["16", "openssl rand"]),
        ({"mode": "during_call"}, ["during_call", "BLOCK", "pre_call"]),
        ({"mode": "post_call", "output_parse_pii": True}, ["pre_call"]),
        ({"mode": "post_call", "pii_entities_config": {"US_SSN": "REVERSIBLE"}}, ["pre_call"]),
        ({"presidio_ad_hoc_recognizers": "a.json"}, ["not supported", "litellm_content_filter"]),
        ({"presidio_analyzer_api_base": "http://x"}, ["engine: presidio"]),
        ({"presidio_anonymizer_api_base": "http://x"}, ["engine: presidio"]),
        ({"presidio_language": "de"}, ["en"]),
        ({"mask_pii_fail_closed": False}, ["True"]),
        ({"engine": "auto"}, ["'builtin'", "'presidio'"]),
        ({"something": 1}, ["Extra inputs"]),
    ],
)
def test_an_option_that_cannot_work_is_a_start_error_that_says_what_can(params: Any, words: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        guard(row(**params))
    (detail, *_) = error.value.errors()
    assert detail["loc"][:3] == ("guardrails", 0, "litellm_params")
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "short" not in str(error.value).replace("shorter", "")


def test_presidio_that_is_not_installed_is_a_start_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routeiq_guard_pii.config.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"pip install 'routeiq-guard-pii\[presidio\]'"):
        guard(row(engine="presidio"))


def test_the_page_names_every_entity_and_every_option_with_its_meaning() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/guard-pii.md").read_text(encoding="utf-8")
    for name, field in Options.model_fields.items():
        if name not in RailOptions.model_fields:
            assert f"| `{name}` |" in page
            assert str(field.description) in page
    assert [
        entity for entity in ENTITIES if f"| `{entity}`{' *' if entity in BY_NAME_ONLY else ''} |" not in page
    ] == []
