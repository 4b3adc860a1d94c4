"""A prompt is counted high enough without a tokenizer, and not absurdly high."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_governance.quotas.counting import Prompt, text_bound
from routeiq_governance.quotas.estimate import NOTHING, demand, prompt_tokens, wanted
from routeiq_sdk import Deployment, ModelGroup, Price
from routeiq_sdk.testing import make_request

_RANDOM = random.Random(7)
# Token counts of cl100k_base, the largest of four tokenizers unless another is named.
KNOWN = [
    ("The quick brown fox jumps over the lazy dog. " * 20, 201),
    ("Epäjärjestelmällistyttämättömyydellänsäkäänköhän juoksentelisinkohan kaupungissa. " * 20, 801),  # Anthropic
    ("function a(b,c){var d=b.e(c),f=d?g(d,!0):h;return f&&i(f),j.k=l}" * 40, 1680),  # Anthropic
    ("for(int i=0;i<n;++i){x[i]+=y[i]*z;}\n" * 80, 2000),  # Anthropic
    (" ".join("".join(_RANDOM.choice(string.ascii_letters) for _ in range(3)) for _ in range(2000)), 4400),
    (base64.b64encode(_RANDOM.randbytes(6000)).decode(), 5800),
    ("".join(chr(0x4E00 + _RANDOM.randrange(0x5000)) for _ in range(2000)), 4800),
    ("".join(_RANDOM.choice(string.digits) for _ in range(5000)), 5000),
]


@pytest.mark.parametrize(("text", "tokens"), KNOWN)
def test_no_tokenizer_counts_more_than_the_bound(text: str, tokens: int) -> None:
    assert tokens <= text_bound(text) <= len(text.encode())


def test_prose_is_counted_well_below_its_bytes() -> None:
    text = KNOWN[0][0]
    assert text_bound(text) < 0.7 * len(text)


@given(st.text(max_size=200))
def test_the_bound_is_never_above_the_bytes_and_never_nothing(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert 0 <= text_bound(text) <= len(data) + 1
    assert (text_bound(text) > 0) == bool(data)


def test_data_of_images_is_no_text_and_has_a_fixed_bound() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 300_000}}
    said = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, picture]}]
    assert 4096 < Prompt({"messages": said}).bound() < 6000
    source = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 300_000}}
    assert 4096 < Prompt({"messages": [{"role": "user", "content": [source]}]}).bound() < 6000
    written = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a b " * 100_000}}
    assert Prompt({"messages": [{"role": "user", "content": [written]}]}).bound() > 200_000


def test_tools_schemas_and_token_ids_count() -> None:
    schema = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(50)}}
    plain = Prompt({"messages": []}).bound()
    for extra in (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}},
    ):
        assert Prompt({"messages": [], **extra}).bound() - plain >= len(json.dumps(schema)) // 5
    assert Prompt({"input": list(range(1000))}).bound() >= 1000
    assert Prompt({"prompt": [[1, 2, 3], [4, 5]]}).typical() == 5


def test_what_is_said_to_the_gateway_is_no_prompt() -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert Prompt(body).bound() == Prompt({**body, "metadata": {"x": "y" * 1000}, "model": "m" * 99}).bound()


def test_one_token_a_byte_holds_for_any_text() -> None:
    request = make_request("qzjxkv " * 100)
    assert prompt_tokens(request, "bytes") > prompt_tokens(request, "text") > prompt_tokens(request, "typical")


def _group(**more: object) -> ModelGroup:
    return ModelGroup("m", (Deployment(id="d", group="m", provider="openai", model="m", wire="openai", **more),))  # type: ignore[arg-type]


def test_output_is_what_the_client_the_row_or_the_model_bounds() -> None:
    plain = _group()
    assert wanted(make_request(), [plain], 16_384).most == 16_384
    assert not wanted(make_request(), [plain], 16_384).bounded
    assert wanted(make_request(max_tokens=5, n=3), [plain], 9).most == 15
    both = wanted(make_request(max_tokens=5, max_completion_tokens=8), [plain], 9)
    assert (both.most, set(both.fields)) == (8, {"max_tokens", "max_completion_tokens"})
    assert wanted(make_request(), [_group(info={"max_output_tokens": 4096})], 9).most == 4096
    assert wanted(make_request(), [_group(params={"max_tokens": 7}, info={"max_output_tokens": 4096})], 9).most == 7
    prompts = make_request(wire="openai-completion", prompt=["a", "b"], max_tokens=4, best_of=2)
    assert wanted(prompts, [plain], 9).most == 16
    assert wanted(make_request(wire="openai-embedding", input="x"), [plain], 9) is NOTHING


def test_the_dearest_price_and_the_dearest_kind_of_input_count() -> None:
    cheap = Price(input=3, output=5, cached=1, cache_write=4, scale=2)
    dear = Price(input=1, output=9, cached=1, cache_write=1, per_request=7, scale=2)
    found = demand(10, [cheap, dear])
    assert (found.input_cost, found.token_cost) == (20, 5)
    assert demand(10, [None, cheap], unpriced=99).input_cost == 99
