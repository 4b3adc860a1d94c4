"""Guards over HTTP: what they replace is what is used, what they hold back nobody sees, what they stop ends typed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from routeiq_testkit import Reply

CENSOR = """
needs = frozenset({Need.READS_BODY, Need.MUTATES_REQUEST})

@hookimpl
async def guard_request(self, ctx: Context) -> Replace:
    note(f"{self.config.tag} saw {ctx.request.last_user_text()}")
    body = dict(ctx.request.json())
    text = body["messages"][-1]["content"] + self.config.tag
    return Replace({**body, "messages": [{"role": "user", "content": text}], "temperature": 0.5})
"""


def data(stream: bytes) -> list[Any]:
    """The JSON of all events."""
    lines = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_of(stream: bytes) -> str:
    return "".join(
        choice["delta"].get("content") or "" for event in data(stream) for choice in event.get("choices", ())
    )


def running(gateway) -> dict[str, int]:
    return gateway.runtime.services.attempts._choice.running


async def test_what_a_guard_replaces_is_seen_by_later_guards_and_by_the_provider(bench) -> None:
    tags = {"one": {"tag": "-1"}, "two": {"tag": "-2"}}
    gateway = await bench.serve({"one": CENSOR, "two": CENSOR}, routeiq={"plugins": tags})
    assert (await gateway.chat("fast", "hello"))[0] == 200
    assert bench.journal == ["-1 saw hello", "-2 saw hello-1"]
    (sent,) = bench.up.requests
    assert sent.json["messages"] == [{"role": "user", "content": "hello-1-2"}]
    assert sent.json["temperature"] == 0.5
    assert sent.model == "model-fast"


async def test_a_replacement_that_is_no_json_is_the_plugins_failure(bench) -> None:
    odd = """
    @hookimpl
    async def guard_request(self, ctx: Context) -> Replace:
        return Replace({"messages": object()})
    """
    gateway = await bench.serve({"odd": odd})
    status, _, body = await gateway.chat("fast")
    assert status == 503
    assert "'odd'" in body["error"]["message"]


DURING = """
async def answer(self) -> None:
    raise AssertionError("set by the test")

@hookimpl
async def guard_during(self, ctx: Context) -> Any:
    return await self.answer()
"""


async def test_the_first_byte_waits_for_the_guards_beside_the_call(bench, the_plugin) -> None:
    gateway = await bench.serve({"judge": DURING})
    agreed = asyncio.Event()

    async def answer() -> None:
        await agreed.wait()

    the_plugin(gateway, "judge").answer = answer
    asking = asyncio.create_task(gateway.stream("fast"))
    sent = await bench.up.until_requests(1)
    async with asyncio.timeout(5):
        await sent.answered.wait()  # the provider has said everything
    assert not asking.done()
    agreed.set()
    status, _, body = await asking
    assert status == 200
    assert text_of(body) == "Hello from upstream."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fallen_silent", [False, True], ids=["after the answer", "before the answer"])
async def test_a_guard_beside_the_call_that_objects_gives_the_client_nothing_of_the_answer(
    bench, the_plugin, stream: bool, fallen_silent: bool
) -> None:
    from routeiq_sdk import Reject

    gateway = await bench.serve({"judge": DURING})
    if fallen_silent:
        bench.up.script(Reply.hang())

    async def answer() -> Reject:
        sent = await bench.up.until_requests(1)
        if not fallen_silent:
            await sent.answered.wait()
        return Reject(451, "unlawful", type="fixture_refusal")

    the_plugin(gateway, "judge").answer = answer
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    async with gateway.session.post("/v1/chat/completions", json=body) as response:
        assert response.status == 451
        assert (await response.json())["error"]["message"] == "unlawful"
    (record,) = await gateway.recorded()
    assert record.status == 451
    assert [outcome.kind for outcome in record.attempts] == ["cancelled"]
    assert record.attempts[0].dispatched
    assert running(gateway) == {}
    if fallen_silent:
        await bench.up.until_idle()


ANSWERS = """
needs = frozenset({Need.READS_RESPONSE})

@hookimpl
async def guard_response(self, ctx: Context, response: Any) -> Any:
    note(response["choices"][0]["message"]["content"])
    if self.config.tag == "reject":
        return Reject(422, "no such answer", type="fixture_refusal")
    message = {"role": "assistant", "content": self.config.tag}
    return Replace({**response, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
"""


async def test_an_answer_may_be_replaced_and_later_guards_see_the_replacement(bench) -> None:
    tags = {"one": {"tag": "first"}, "two": {"tag": "second"}}
    gateway = await bench.serve({"one": ANSWERS, "two": ANSWERS}, routeiq={"plugins": tags})
    status, _, body = await gateway.chat("fast")
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "second"
    assert bench.journal == ["Hello from upstream.", "first"]


async def test_an_answer_may_be_refused_and_is_paid_for_all_the_same(bench) -> None:
    gateway = await bench.serve({"one": ANSWERS}, routeiq={"plugins": {"one": {"tag": "reject"}}})
    status, _, body = await gateway.chat("fast")
    assert (status, body["error"]["type"]) == (422, "fixture_refusal")
    (record,) = await gateway.recorded()
    assert record.usage is not None
    assert record.attempts[0].kind == "ok"
    assert running(gateway) == {}


FILTER = """
needs = frozenset({Need.READS_STREAM_TEXT})

@hookimpl
def stream_filter(self, ctx: Context) -> Any:
    how = self.config.tag
    if how == "make":
        raise RuntimeError("the inner reason")

    class Filter:
        held = ""
        def feed(self, delta: str) -> Any:
            self.held += delta
            if "upstream" in self.held:
                if how == "stop":
                    return Stop("that word", type="fixture_stop")
                if how == "feed":
                    raise RuntimeError("the inner reason")
            if how == "hold":
                return []
            out, self.held = self.held, ("" if how == "pass" else self.held)
            return [delta]
        def end(self) -> Any:
            if how == "end":
                raise RuntimeError("the inner reason")
            return [self.held.upper()] if how == "hold" else []
    return Filter()
"""


def filtering(how: str) -> dict[str, Any]:
    return {"plugins": {"filter": {"tag": how}}}


async def test_a_filter_that_holds_everything_back_loses_nothing(bench) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering("hold"))
    status, _, body = await gateway.stream("fast")
    assert status == 200
    assert text_of(body) == "HELLO FROM UPSTREAM."
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_filter_that_stops_ends_the_stream_with_a_typed_event(bench) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering("stop"))
    status, _, body = await gateway.stream("fast")
    assert status == 200
    assert b"[DONE]" not in body
    assert text_of(body) == "Hello from"
    assert data(body)[-1] == {"error": {"message": "that word", "type": "fixture_stop", "param": None, "code": "400"}}
    (record,) = await gateway.recorded()
    assert (record.status, record.error_type) == (400, "fixture_stop")
    assert record.usage is not None
    assert running(gateway) == {}


async def test_an_anthropic_stream_is_stopped_in_its_own_shape(bench) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering("stop"))
    asked = {"model": "fast", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with gateway.session.post("/v1/messages", json=asked) as response:
        assert response.status == 200
        body = await response.read()
    assert b"message_stop" not in body
    last = body.strip().split(b"\n\n")[-1].split(b"\n")
    assert last[0] == b"event: error"
    assert json.loads(last[1].removeprefix(b"data: "))["error"]["message"] == "that word"


@pytest.mark.parametrize("how", ["feed", "end"])
async def test_a_filter_that_fails_ends_the_stream_with_an_event_that_names_its_plugin(bench, how: str) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering(how))
    status, _, body = await gateway.stream("fast")
    assert status == 200
    assert b"[DONE]" not in body
    error = data(body)[-1]["error"]
    assert error["code"] == "503"
    assert "'filter'" in error["message"]
    assert b"inner reason" not in body
    (record,) = await gateway.recorded()
    assert record.status == 503
    call = next(call for call in gateway.runtime.calls() if call.hook == "stream_filter")
    assert call.stats.errors == 1
    assert running(gateway) == {}


async def test_a_filter_that_cannot_be_made_refuses_before_the_first_byte_and_lets_the_provider_go(bench) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering("make"))
    bench.up.script(Reply.hang(after_events=2))
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with gateway.session.post("/v1/chat/completions", json=body) as response:
        assert response.status == 503
        assert "'filter'" in (await response.json())["error"]["message"]
    await bench.up.until_idle()
    assert running(gateway) == {}
    (record,) = await gateway.recorded()
    assert len(record.attempts) == 1


async def test_plain_answers_need_no_filter(bench) -> None:
    gateway = await bench.serve({"filter": FILTER}, routeiq=filtering("make"))
    assert (await gateway.chat("fast"))[0] == 200


async def test_offloaded_work_runs_in_a_thread(bench) -> None:
    heavy = """
    needs = frozenset({Need.OFFLOAD, Need.READS_BODY})

    @hookimpl
    def guard_request(self, ctx: Context) -> Reject | None:
        note(threading.current_thread() is threading.main_thread())
        return Reject(400, "seen in a thread") if "bad" in ctx.request.text() else None
    """
    gateway = await bench.serve({"heavy": heavy})
    assert (await gateway.chat("fast"))[0] == 200
    status, _, body = await gateway.chat("fast", "bad")
    assert (status, body["error"]["message"]) == (400, "seen in a thread")
    assert bench.journal == [False, False]
