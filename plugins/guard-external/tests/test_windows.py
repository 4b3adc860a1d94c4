"""Streams: what is asked does not depend on how the text was cut, and nothing leaves before it was judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_guard_external.windows import AskingArguments, AskingWindow, Onlooker, next_cut
from routeiq_sdk import RequestError, Stop
from routeiq_sdk.guards import Passage

SIZE = 40
WORDS = st.lists(
    st.sampled_from(
        ["word ", "badword", "bad", "mask", "Yes. ", "Really?\n", '"Stop!" ', "x" * 45, "\n\n", "é", "fail "]
    ),
    max_size=40,
)


def cut_at(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


class Asked:
    """Judges windows, and remembers them."""

    def __init__(self) -> None:
        self.windows: list[tuple[str, str]] = []

    async def judge(self, before: str, window: str) -> str | Stop:
        self.windows.append((before, window))
        await asyncio.sleep(0)
        shown = before + window
        if "badword" in shown:
            return Stop("bad")
        if "fail" in window:
            raise RequestError(503, "down")
        return window.replace("mask", "[mask]")


def streamed(pieces: Sequence[str]) -> tuple[str, object, list[tuple[str, str]]]:
    async def run() -> tuple[str, object, list[tuple[str, str]]]:
        asked = Asked()
        item = AskingWindow(asked.judge, SIZE, 12)
        out = ""
        for step in [*(lambda piece=piece: item.feed(piece) for piece in pieces), item.end]:
            try:
                answer = await step()
            except RequestError as error:
                return out, error.status, asked.windows
            if isinstance(answer, Stop):
                return out, answer, asked.windows
            out += "".join(answer)
        return out, None, asked.windows

    return asyncio.run(run())


@settings(max_examples=200, deadline=None)
@given(words=WORDS, cuts=st.lists(st.integers(0, 500), max_size=12))
def test_windows_verdict_and_output_are_the_same_however_a_stream_is_cut(words: list[str], cuts: list[int]) -> None:
    text = "".join(words)
    whole = streamed([text])
    assert streamed(cut_at(text, cuts)) == whole
    assert streamed(list(text)) == whole
    out, ended, windows = whole
    if ended is None:
        assert out == text.replace("mask", "[mask]") or "mask" in text
        assert "".join(window for _, window in windows) == text
    assert all(len(window) <= SIZE for _, window in windows)
    assert all(len(before) <= 12 for before, _ in windows)


def test_a_window_ends_with_a_sentence_or_a_word() -> None:
    assert next_cut("a" * 39, 40) == 0
    assert next_cut("a" * 60, 40) == 40
    assert next_cut("Short. " + "x" * 10, 40) == 0, "it is not worth a question yet"
    assert next_cut("This is a first sentence. And another", 40) == len("This is a first sentence. ")
    assert next_cut('He said "this is the end of it." Then', 40) == len('He said "this is the end of it." ')
    assert next_cut("some words and no end of any sentence at all", 40) == len("some words and no end of any sentence ")
    assert next_cut("3.14159265358979323846264338327950288419716939937510", 40) == 40


def test_what_was_let_out_before_is_shown_again_as_context() -> None:
    _, _, windows = streamed(["First sentence that is long enough. Second sentence that masks a bit. Third."])
    assert windows == [
        ("", "First sentence that is long enough. "),
        ("ong enough. ", "Second sentence that masks a bit. "),
        ("sk]s a bit. ", "Third."),
    ]


def test_a_refusal_across_two_windows_is_seen() -> None:
    out, ended, _ = streamed(["x" * 37 + "bad" + "word and more"])
    assert ended == Stop("bad")
    assert "badword" not in out


def through(judge: object, text: str) -> list[str] | Stop:
    async def run() -> list[str] | Stop:
        item = AskingArguments(judge)  # type: ignore[arg-type]
        for piece in text:
            assert await item.feed(piece) == []
        return await item.end()

    return asyncio.run(run())


async def capital(passages: Sequence[Passage]) -> Sequence[str] | Stop:
    assert all(passage.part == "arguments" for passage in passages)
    return Stop("bad") if any("badword" in each.text for each in passages) else [each.text.upper() for each in passages]


@pytest.mark.parametrize(
    "written", ['{"a": "badword"}', '{"a": "\\u0062adword"}', "no JSON: badword", '{"badword": 1}']
)
def test_arguments_are_judged_whole_with_their_escapes_read(written: str) -> None:
    assert through(capital, written) == Stop("bad")


def test_arguments_may_be_rewritten_and_stay_json() -> None:
    answer = through(capital, '{"A": "x\\ny", "B": [1, "z"]}')
    assert isinstance(answer, list)
    assert json.loads("".join(answer)) == {"A": "X\nY", "B": [1, "Z"]}
    assert through(capital, "") == []
    assert through(capital, "{}") == ["{}"]


def test_arguments_without_an_end_are_stopped() -> None:
    async def run() -> list[str] | Stop:
        item = AskingArguments(capital)
        await item.feed("x" * 600_000)
        return await item.feed("x" * 600_000)

    assert isinstance(asyncio.run(run()), Stop)


def test_who_only_looks_on_lets_every_piece_pass_at_once_and_misses_nothing() -> None:
    seen: list[str] = []
    item = Onlooker(seen.append)
    pieces = ["a" * 5000, "b" * 5000, "", "c"]
    assert [item.feed(piece) for piece in pieces] == [[piece] for piece in pieces]
    assert item.end() == []
    assert seen == ["a" * 5000 + "b" * 5000, "c"]
