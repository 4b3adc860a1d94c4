"""The guard's contract, its options, and that a stream is masked like the whole text however it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from routeiq_guard_secrets.config import Config, Options
from routeiq_guard_secrets.detectors import ALL, DETECTORS
from routeiq_guard_secrets.inspector import Secrets
from routeiq_guard_secrets.plugin import GuardSecrets
from routeiq_sdk import Reject, Replace, Stop
from routeiq_sdk.guards import RailOptions
from routeiq_sdk.guards.findings import replaced
from routeiq_sdk.testing.fakes import FakeGateway, make_context
from routeiq_sdk.testing.guard import GuardContract

from .secrets_made import BASIC, PASSWORD, SHAPES, pem, secret, some, token

KEY = SHAPES["openai_key"][0]
GITHUB = SHAPES["github_token"][0]


def row(**params: Any) -> dict[str, Any]:
    filled = {"guardrail": "guard-secrets", "mode": "pre_call", "default_on": True, **params}
    return {"guardrail_name": "secrets", "litellm_params": filled}


def guard(**params: Any) -> GuardSecrets:
    made = GuardSecrets(Config.model_validate({"guardrails": [row(**params)]}))
    asyncio.run(made.setup(FakeGateway()))
    return made


class TestContractOfMasking(GuardContract):
    plugin = GuardSecrets
    name = "guard-secrets"
    config = {"guardrails": [row(mode=["pre_call", "post_call"])]}
    allowed = ("Hello, world.", "The password is required; a token was sent.", "max_tokens: 4096 is the key. 価格")
    refused = ()
    rewritten = {
        f"Use {KEY} now.": "Use [REDACTED] now.",
        f"password = {PASSWORD}, and more": "password = [REDACTED], and more",
        f'a = {{"token": "{PASSWORD}"}}': 'a = {"token": "[REDACTED]"}',
        f"Here:\n{pem()}\nDone.": "Here:\n[REDACTED]\nDone.",
        f"Authorization: Basic {BASIC}\n": "Authorization: Basic [REDACTED]\n",
        'passphrase = "correct horse 7 battery staple" ok': 'passphrase = "[REDACTED]" ok',
    }


class TestContractOfBlocking(GuardContract):
    plugin = GuardSecrets
    name = "guard-secrets"
    config = {"guardrails": [row(mode=["pre_call", "during_call", "post_call"], action="block")]}
    allowed = ("Hello, world.",)
    refused = (KEY, pem(lines=3), f"my password is {PASSWORD}")


PIECES = st.sampled_from(
    [
        KEY, GITHUB, token(), pem(lines=1), pem(lines=1, between="\\n"), "-----BEGIN ", "RSA ", "PRIVATE KEY-----",
        "-----END ",
        some(40), some(20), secret(), "AKIA" + "A2" * 8, "AKIA", "password", "PASSWORD", "token", "secret", "api",
        "key", "api_key",
        "access", "Bearer", "basic", BASIC, PASSWORD, "hunter2!", "7", "is", " is ", "=", ":", ":=", "=>", " = ",
        '"', "'", "\\", "`",
        " ", "  ", "\t", "\n", "\\n", ".", ",", "/", "@", "://", "postgres://u:", "@host", "é", "は", "\u2028",
        "\u00a0", "x", "\u017f", "\u0130",
        "Proc-Type: 4,ENCRYPTED\n", "Version: 1\n", "-",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 900), max_size=8)
WHOLE = Secrets(ALL, mask=True, entropy=3.0, allow=())


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, more=TEXTS)
@example("api ", f"key = {PASSWORD}")
@example("password ", f"is {PASSWORD}")
@example('secret = "a ', f'b {PASSWORD}"')
@example("-----BEGIN RSA ", pem().removeprefix("-----BEGIN RSA "))
@example("AKIA" + "A2" * 8 + " ", secret())
@example("Bearer ", some(40))
def test_what_has_settled_is_judged_the_same_whatever_comes_after_and_before(text: str, more: str) -> None:
    cut = WHOLE.settled(text)
    whole = {tuple(each) for each in WHOLE.inspect(text + more, "")}
    left = {tuple(each) for each in WHOLE.inspect(text[:cut], "")}
    right = {(a + cut, b + cut, *rest) for a, b, *rest in WHOLE.inspect(text[cut:] + more, "")}
    assert whole == left | right


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, cuts=CUTS)
def test_a_stream_is_masked_like_the_whole_text_however_it_is_cut(text: str, cuts: Sequence[int]) -> None:
    made = guard(mode="post_call")
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert streamed(made, pieces) == replaced(text, WHOLE.inspect(text, ""))


def streamed(made: GuardSecrets, pieces: Sequence[str]) -> str | Stop:
    filtering: Any = made.stream_filter(make_context())
    out = ""
    for step in [*(lambda piece=piece: filtering.feed(piece) for piece in pieces), filtering.end]:
        answer = step()
        if isinstance(answer, Stop):
            return answer
        out += "".join(answer)
    return out


def test_prose_flows_word_by_word_though_it_speaks_of_tokens_and_in_scripts_without_spaces() -> None:
    assert WHOLE.settled("The token was ") == 14
    assert WHOLE.settled("The token ") == 4
    assert WHOLE.settled("我的密码很长") == 6


def test_a_text_of_nothing_but_beginnings_is_held_and_lost_nowhere() -> None:
    text = "password " * 3000
    assert streamed(guard(mode="post_call"), [text[at : at + 50] for at in range(0, len(text), 50)]) == text


def test_a_row_masks_or_refuses_and_says_what_and_not_which() -> None:
    masked = asyncio.run(guard().guard_request(make_context(f"key {KEY} {GITHUB}")))
    assert isinstance(masked, Replace)
    assert masked.body["messages"][0]["content"] == "key [REDACTED] [REDACTED]"
    assert masked.reason == "github_token, openai_key"
    refused = asyncio.run(guard(action="block").guard_request(make_context(f"key {KEY}")))
    assert isinstance(refused, Reject)
    assert "openai_key" in refused.message
    assert KEY not in refused.message


def test_litellms_list_of_detectors_is_understood() -> None:
    made = guard(guardrail="hide-secrets", detect_secrets_config={"plugins_used": [{"name": "GitHubTokenDetector"}]})
    masked = asyncio.run(made.guard_request(make_context(f"{KEY} {GITHUB}")))
    assert isinstance(masked, Replace)
    assert masked.body["messages"][0]["content"] == f"{KEY} [REDACTED]"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"detect_secrets_config": {"plugins_used": [{"name": "SoftDetector"}]}}, ["'SoftDetector'", "AWSKeyDetector"]),
        ({"detect_secrets_config": {"plugins_used": [{}]}}, ["None", "AWSKeyDetector"]),
        ({"detect_secrets_config": {"plugins_used": []}}, ["plugins_used"]),
        ({"detect_secrets_config": {"filters_used": []}}, ["plugins_used"]),
        ({"allow": ["sha256:12"]}, ["entry 0", "64"]),
        ({"allow": ["ok", "(["]}, ["entry 1", "regular expression"]),
        ({"entropy": 9}, ["less than or equal to 8"]),
        ({"action": "hash"}, ["'mask' or 'block'"]),
        ({"mode": "during_call"}, ["during_call", "action: block", "pre_call"]),
        ({"surprise": 1}, ["Extra inputs"]),
    ],
)
def test_an_option_that_cannot_work_is_a_start_error_that_says_what_can(params: Any, words: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        guard(**params)
    assert error.value.errors()[0]["loc"][:3] == ("guardrails", 0, "litellm_params")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_the_page_names_every_kind_every_detector_and_every_option_with_its_meaning() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/guard-secrets.md").read_text(encoding="utf-8")
    for name, field in Options.model_fields.items():
        if name not in RailOptions.model_fields:
            assert f"| `{name}` |" in page
            assert str(field.description) in page
    assert [name for name in (*ALL, *DETECTORS) if f"`{name}`" not in page] == []
