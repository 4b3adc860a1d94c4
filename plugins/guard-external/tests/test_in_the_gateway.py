"""The guard in a whole gateway, with a moderation service on a socket: its contracts, its hooks, its ways to fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from routeiq_guard_external.looks import MOST
from routeiq_sdk import Record
from routeiq_testkit import Reply, ScriptedUpstream, ToolCall
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder

from .conftest import Guarded
from .moderator import BAD, HIDDEN, PRIVATE, moderator, verdict

KEY = "sk-of-the-service-5d0c81"
BAD_TEXT, PRIVATE_TEXT = f"this is a {BAD} here", f"it is {PRIVATE} to me"
ROWS: dict[str, dict[str, Any]] = {
    "openai_moderation": {"guardrail": "openai_moderation", "api_key": KEY},
    "generic_guardrail_api": {"guardrail": "generic_guardrail_api", "api_key": KEY},
    "http": {"guardrail": "http", "api_key": KEY},
    "lakera_v2": {"guardrail": "lakera_v2", "api_key": KEY},
    "aporia": {"guardrail": "aporia", "api_key": KEY},
}
HTTP = ROWS["http"]
VIOLATION = "content_policy_violation"


async def messages(gateway: TestGateway, text: str, **fields: Any) -> tuple[int, bytes]:
    body = {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **fields}
    async with gateway.session.post("/v1/messages", json=body) as response:
        return response.status, await response.read()


async def only_record(gateway: TestGateway) -> Record:
    (record,) = await gateway.recorded()
    return record


def rulings(record: Record) -> list[tuple[str, str, str]]:
    return [(each.hook, each.action, each.reason) for each in record.rulings]


def streamed_text(body: bytes) -> str:
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for event in events for choice in json.loads(event).get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("name", ROWS)
async def test_each_contract_refuses_a_request_and_lets_another_pass(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream, name: str
) -> None:
    gateway = await guarded(ROWS[name])
    status, _, body = await gateway.chat("fast", BAD_TEXT)
    assert (status, body["error"]["type"]) == (400, VIOLATION)
    assert "'row-0'" in body["error"]["message"]
    assert BAD not in json.dumps(body)
    assert scripted_upstream.requests == []
    status, headers, _ = await gateway.chat("fast", "hello")
    assert (status, headers["x-litellm-applied-guardrails"]) == (200, "row-0")
    assert len(service.requests) == 2
    assert all(KEY in " ".join(asked.headers.values()) for asked in service.requests)


@pytest.mark.parametrize("name", ["generic_guardrail_api", "http"])
async def test_what_a_service_rewrites_is_what_the_model_reads_and_the_client_gets(
    guarded: Guarded, scripted_upstream: ScriptedUpstream, name: str
) -> None:
    gateway = await guarded({**ROWS[name], "mode": ["pre_call", "post_call"]})
    scripted_upstream.script(Reply.chat(PRIVATE_TEXT), Reply.stream([PRIVATE_TEXT[:8], PRIVATE_TEXT[8:]]))
    status, _, body = await gateway.chat("fast", PRIVATE_TEXT)
    assert (status, body["choices"][0]["message"]["content"]) == (200, f"it is {HIDDEN} to me")
    assert scripted_upstream.requests[0].json["messages"][0]["content"] == f"it is {HIDDEN} to me"
    status, _, stream = await gateway.stream("fast")
    assert (status, streamed_text(stream)) == (200, f"it is {HIDDEN} to me")


@pytest.mark.parametrize("name", ROWS)
async def test_each_contract_refuses_an_answer_whole_or_streamed_on_both_wires(
    guarded: Guarded, scripted_upstream: ScriptedUpstream, name: str
) -> None:
    gateway = await guarded({**ROWS[name], "mode": "post_call"})
    pieces = ["this is a ", BAD[:3], BAD[3:], " here"]
    scripted_upstream.script(*[Reply.chat(BAD_TEXT), Reply.stream(pieces)] * 2)
    status, _, body = await gateway.chat("fast")
    assert (status, body["error"]["type"]) == (400, VIOLATION)
    status, _, stream = await gateway.stream("fast")
    assert status == 200
    assert b"[DONE]" not in stream
    assert VIOLATION.encode() in stream
    assert BAD not in streamed_text(stream)
    status, told = await messages(gateway, "hello")
    assert status == 400
    status, told = await messages(gateway, "hello", stream=True)
    assert status == 200
    assert b"event: error" in told
    assert b"this is" not in told


async def test_a_stream_goes_out_as_it_was_in_windows_that_were_asked_about(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "mode": "post_call", "stream_window": 60, "stream_overlap": 10})
    text = "One sentence after the other goes by. " * 8
    scripted_upstream.script(Reply.stream([text[at : at + 7] for at in range(0, len(text), 7)]))
    status, _, stream = await gateway.stream("fast")
    assert (status, streamed_text(stream)) == (200, text)
    asked = [each.json["texts"][0] for each in service.requests]
    assert len(asked) == 8
    assert [each["seen"] for each in asked] == [0, *[10] * 7]
    assert "".join(each["text"][each["seen"] :] for each in asked) == text


@pytest.mark.parametrize("stream", [False, True])
async def test_the_arguments_of_a_call_are_judged(
    guarded: Guarded, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    gateway = await guarded({**HTTP, "mode": "post_call"})
    call = ToolCall("f", '{"q": "\\u0062adword", "r": "ok"}')
    reply = Reply.stream(tool_calls=[call]) if stream else Reply.chat(tool_calls=[call])
    scripted_upstream.script(reply)
    if stream:
        _, _, told = await gateway.stream("fast")
        assert b"u0062adword" not in told
        assert VIOLATION.encode() in told
    else:
        assert (await gateway.chat("fast"))[0] == 400


async def test_beside_the_call_the_answer_waits_for_the_verdict(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "mode": "during_call"})
    assert (await gateway.chat("fast", "hello"))[0] == 200
    status, _, body = await gateway.chat("fast", BAD_TEXT)
    assert (status, body["error"]["type"]) == (400, VIOLATION)
    status, _, body = await gateway.chat("fast", PRIVATE_TEXT)
    assert status == 400, "what would be rewritten is refused: the model has it already"
    service.script(Reply.error(500))
    assert (await gateway.chat("fast", "hello"))[0] == 503
    records = await gateway.recorded(4)
    assert rulings(records[0]) == [("guard_during", "fail", "unreachable")]


SINK = """
import asyncio
from routeiq_sdk import Plugin, PluginConfig, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def setup(self, gateway):
        self.seen = asyncio.Queue()

    @hookimpl
    async def emit(self, events):
        for event in events:
            if event.name == "routeiq.guard.v1":
                self.seen.put_nowait(event.payload)
"""


async def test_who_only_looks_on_holds_nobody_up_and_tells_what_it_saw(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("sink", SINK)
    row = {**HTTP, "mode": "logging_only", "timeout": 20}
    gateway = await guarded(row, routeiq={"plugins": {"guard-external": {}, "sink": {}}})
    sink: Any = next(each.instance for each in gateway.runtime.plugins.members if each.name == "sink")
    service.default = Reply.choose(  # questions about requests are never answered, and nobody waits for that
        lambda asked: Reply.hang() if asked.json["side"] == "request" else Reply.json(verdict(asked.path, asked.json))
    )
    scripted_upstream.script(Reply.chat(BAD_TEXT), Reply.stream([BAD_TEXT]))
    assert (await gateway.chat("fast", BAD_TEXT))[0] == 200
    status, headers, stream = await gateway.stream("fast", "hello")
    assert (status, streamed_text(stream)) == (200, BAD_TEXT)
    assert "x-litellm-applied-guardrails" not in headers
    async with asyncio.timeout(10):
        events = [await sink.seen.get(), await sink.seen.get()]
    assert {(each["stage"], each["action"], each["reason"]) for each in events} == {
        ("guard_response", "observe", "flagged content"),
        ("stream_filter", "observe", "flagged content"),
    }
    assert BAD not in json.dumps(events)
    assert len({each["event_id"] for each in events}) == 2


async def test_looks_that_pile_up_are_left_out_and_the_record_says_so(
    guarded: Guarded, service: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "mode": "logging_only", "timeout": 20})
    service.default = Reply.hang()
    chats = MOST // 2 + 1  # each is looked at twice
    for _ in range(chats):
        assert (await gateway.chat("fast"))[0] == 200
    newest, *others = await gateway.recorded(chats)
    assert rulings(newest) == [(hook, "observe", "not looked at") for hook in ("guard_request", "guard_response")]
    assert [rulings(record) for record in others] == [[]] * (chats - 1)


FAULTS: dict[str, tuple[Any, str]] = {
    "500": (Reply.error(500), "unreachable"),
    "429": (Reply.error(429), "unreachable"),
    "a proxy's page": (Reply.html(502), "unreachable"),
    "reset": (Reply.cut(reset=True), "unreachable"),
    "cut in the body": (Reply.cut(after_body_bytes=5), "unreachable"),
    "no HTTP": (Reply.garbage(), "unreachable"),
    "silence": (Reply.hang(), "unreachable"),
    "a slow body": (Reply.slow_body("x" * 4000), "unreachable"),
    "400": (Reply.error(400), "error"),
    "401": (Reply.error(401), "error"),
    "404": (Reply.error(404), "error"),
    "no JSON": (Reply.not_json(), "error"),
    "nothing": (Reply.empty(), "error"),
    "another JSON": (Reply.json({"verdict": "fine"}), "error"),
    "huge": (Reply.huge(3), "error"),
    "deep": (Reply.not_json("[" * 200_000), "error"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_without_a_verdict_the_declared_mode_applies(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream, name: str
) -> None:
    fault, kind = FAULTS[name]
    service.default = fault
    opens = {"unreachable_fallback": "fail_open"} if kind == "unreachable" else {"fail_on_error": False}
    others = {"fail_on_error": False} if kind == "unreachable" else {"unreachable_fallback": "fail_open"}
    row = {**HTTP, "timeout": 0.3 if name in ("silence", "a slow body") else 10}
    closed = await guarded({**row, **others})
    status, _, body = await closed.chat("fast", "my words")
    assert status == 503, "the other mode changes nothing"
    assert "'row-0' could not judge it" in body["error"]["message"]
    record = await only_record(closed)
    assert rulings(record) == [("guard_request", "fail", kind)]
    assert scripted_upstream.requests == []
    told = json.dumps(body) + repr(record)
    assert [word for word in (service.origin.removeprefix("http://"), KEY, "my words") if word in told] == []

    opened = await guarded({**row, **opens})
    status, _, _ = await opened.chat("fast", "my words")
    assert status == 200
    assert rulings(await only_record(opened)) == [("guard_request", "observe", kind)]


async def test_a_service_that_is_not_there_is_unreachable(guarded: Guarded) -> None:
    async with moderator() as gone:
        address = gone.origin
    gateway = await guarded({**HTTP, "api_base": address})
    status, _, body = await gateway.chat("fast")
    assert (status, "it cannot be reached" in body["error"]["message"]) == (503, True)


@pytest.mark.parametrize(("failures", "status"), [(1, 200), (2, 503)])
async def test_a_connection_that_breaks_is_tried_once_more_and_no_more(
    guarded: Guarded, service: ScriptedUpstream, failures: int, status: int
) -> None:
    gateway = await guarded(HTTP)
    service.script(*[Reply.cut(reset=True)] * failures)
    assert (await gateway.chat("fast"))[0] == status
    assert len(service.requests) == 2


async def test_a_service_that_failed_in_a_row_is_not_asked_for_a_while(
    guarded: Guarded, service: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "breaker_failures": 2, "breaker_seconds": 3600})
    service.default = Reply.error(503)
    for _ in range(4):
        assert (await gateway.chat("fast"))[0] == 503
    assert len(service.requests) == 2


async def test_a_stream_whose_judge_goes_away_ends_with_an_error_or_goes_on_as_the_row_says(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream
) -> None:
    pieces = ["A sentence that is long enough to be a window. ", "Another one that is as long as the first. "]
    scripted_upstream.default = Reply.stream(pieces)
    row = {**HTTP, "mode": "post_call", "stream_window": 60}
    closed = await guarded(row)
    service.script(Reply.json({"allow": True}), Reply.error(503))
    _, _, stream = await closed.stream("fast")
    assert streamed_text(stream) == pieces[0]
    assert b"could not judge it" in stream
    assert b"[DONE]" not in stream
    record = await only_record(closed)
    assert (record.status, rulings(record)) == (503, [("stream_filter", "fail", "unreachable")])
    opened = await guarded({**row, "unreachable_fallback": "fail_open"})
    service.script(Reply.json({"allow": True}), Reply.error(503))
    _, _, stream = await opened.stream("fast")
    assert streamed_text(stream) == "".join(pieces)
    assert rulings(await only_record(opened)) == [("stream_filter", "observe", "unreachable")]


async def test_what_was_let_out_cannot_be_rewritten_so_it_stops(
    guarded: Guarded, service: ScriptedUpstream, scripted_upstream: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "mode": "post_call", "stream_window": 60})
    pieces = ["A sentence that is long enough and says pri. ", "vate and more, which together is a finding. "]
    scripted_upstream.script(Reply.stream(pieces))
    service.script(
        Reply.json({"allow": True}),
        Reply.choose(
            lambda asked: Reply.json(
                {"allow": True, "texts": [asked.json["texts"][0]["text"].replace("pri. vate", HIDDEN)]}
            )
        ),
    )
    _, _, stream = await gateway.stream("fast")
    assert streamed_text(stream) == pieces[0]
    assert VIOLATION.encode() in stream
    assert b"[DONE]" not in stream


async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(
    guarded: Guarded, service: ScriptedUpstream
) -> None:
    async with moderator() as other:
        gateway = await guarded({**HTTP, "headers": {"x-tenant": "secret-tenant"}})
        service.default = Reply.redirect(f"{other.origin}/x", 307)
        status, _, body = await gateway.chat("fast")
        assert (status, "it answered 307" in body["error"]["message"]) == (503, True)
        assert other.requests == []


async def test_each_row_sends_its_own_secrets_to_its_own_service(guarded: Guarded, service: ScriptedUpstream) -> None:
    async with moderator() as other:
        gateway = await guarded(
            {**HTTP, "headers": {"X-Tenant": "tenant-of-one"}},
            {"guardrail": "generic_guardrail_api", "api_base": other.origin, "api_key": "sk-of-two"},
            {"guardrail": "http", "api_base": f"{other.origin}/plain"},
        )
        assert (await gateway.chat("fast"))[0] == 200
        first = " ".join(service.requests[0].headers.values())
        two, three = (" ".join(asked.headers.values()) for asked in other.requests)
    assert (KEY in first, "tenant-of-one" in first) == (True, True)
    assert [KEY in two, "tenant-of-one" in two, "sk-of-two" in two] == [False, False, True]
    assert [word in three for word in (KEY, "tenant-of-one", "sk-of-two", gateway.key)] == [False] * 4
    assert gateway.key not in first + two


async def test_nobody_learns_who_asks_unless_the_row_says_so(guarded: Guarded, service: ScriptedUpstream) -> None:
    plain = await guarded(HTTP, ROWS["generic_guardrail_api"])
    assert (await plain.chat("fast", user="end-user-7"))[0] == 200
    own, generic = (asked.json for asked in service.requests)
    assert "identity" not in own
    assert generic["request_data"] == {}
    telling = await guarded({**HTTP, "send_identity": True}, {**ROWS["generic_guardrail_api"], "send_identity": True})
    assert (await telling.chat("fast", user="end-user-7"))[0] == 200
    own, generic = (asked.json for asked in service.requests[2:])
    assert own["identity"]["end_user"] == "end-user-7"
    assert generic["request_data"]["user_api_key_end_user_id"] == "end-user-7"
    assert telling.key not in json.dumps([own, generic])


async def test_a_services_reason_is_shown_only_where_the_row_says_so(guarded: Guarded) -> None:
    silent = await guarded(HTTP)
    _, _, body = await silent.chat("fast", BAD_TEXT)
    assert "it says" not in body["error"]["message"]
    telling = await guarded({**HTTP, "show_reason": True})
    _, _, body = await telling.chat("fast", BAD_TEXT)
    assert f"it says {BAD}" in body["error"]["message"]
    for gateway in (silent, telling):
        assert rulings(await only_record(gateway)) == [("guard_request", "reject", VIOLATION)]


async def test_a_later_row_is_sent_what_earlier_ones_made_of_the_request(
    guarded: Guarded, service: ScriptedUpstream
) -> None:
    gateway = await guarded(HTTP, ROWS["generic_guardrail_api"])
    assert (await gateway.chat("fast", PRIVATE_TEXT))[0] == 200
    assert PRIVATE in service.requests[0].body.decode()
    assert PRIVATE not in service.requests[1].body.decode()


async def test_lakera_may_only_note_what_it_flags(guarded: Guarded) -> None:
    gateway = await guarded({**ROWS["lakera_v2"], "on_flagged": "monitor"})
    assert (await gateway.chat("fast", BAD_TEXT))[0] == 200
    assert rulings(await only_record(gateway)) == [("guard_request", "observe", "moderated_content/hate")]


async def test_openais_scores_may_decide(guarded: Guarded) -> None:
    strict = await guarded({**ROWS["openai_moderation"], "categories": {"violence": 0.1}})
    status, _, body = await strict.chat("fast", "hello")
    assert (status, "it holds violence" in body["error"]["message"]) == (400, True)
    lax = await guarded({**ROWS["openai_moderation"], "categories": {"violence": 0.9}})
    assert (await lax.chat("fast", BAD_TEXT))[0] == 200


async def test_a_row_looks_where_it_is_named_and_a_text_can_be_tried(
    guarded: Guarded, service: ScriptedUpstream
) -> None:
    gateway = await guarded({**HTTP, "default_on": False})
    assert (await gateway.chat("fast", BAD_TEXT))[0] == 200
    assert service.requests == []
    assert (await gateway.chat("fast", BAD_TEXT, guardrails=["row-0"]))[0] == 400
    asked = {"guardrail_name": "row-0", "text": PRIVATE_TEXT}
    async with gateway.session.post("/guardrails/apply_guardrail", json=asked) as response:
        assert (response.status, HIDDEN in await response.text()) == (200, True)


async def test_neither_texts_nor_keys_are_logged(
    guarded: Guarded, service: ScriptedUpstream, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = await guarded(HTTP)
    service.script(Reply.not_json(), *[Reply.cut(reset=True)] * 2, Reply.error(500))
    for _ in range(3):
        assert (await gateway.chat("fast", "words-of-mine"))[0] == 503
    assert (await gateway.chat("fast", BAD_TEXT))[0] == 400
    out, err = capfd.readouterr()
    assert [word for word in ("words-of-mine", BAD, KEY) if word in out + err] == []
