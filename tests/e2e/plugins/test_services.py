"""What the handle gives a plugin: nested calls, a spool, events, background work, egress, state, routes, figures."""

from __future__ import annotations

import asyncio
import json

import pytest

from routeiq_sdk import ConfigError, Event, RequestError
from routeiq_sdk.values.http import Headers
from routeiq_testkit import Reply

KEEPS = """
@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway
"""
JUDGE = (
    KEEPS
    + """
@hookimpl
async def authorize(self, ctx: Context) -> None:
    note(f"authorize {ctx.request.model} for {ctx.principal.id}")

@hookimpl
async def reserve(self, ctx: Context, ranked: Any) -> None:
    note(f"reserve {ctx.request.model}")

@hookimpl
async def settle(self, ctx: Context, usage: Any) -> None:
    note(f"settle {ctx.request.model}")

@hookimpl
async def guard_request(self, ctx: Context) -> Any:
    if ctx.request.model == "strong":
        return None
    asked = {"model": "strong", "messages": [{"role": "user", "content": "is this good?"}]}
    verdict = await self.gateway.call(ctx, asked)
    return None if verdict["choices"][0]["message"]["content"] == "yes" else Reject(403, "the judge said no")
"""
)


async def test_a_nested_call_walks_authorize_to_settle_and_leaves_its_own_record(bench) -> None:
    gateway = await bench.serve({"judge": JUDGE})
    bench.up.default_for("model-strong", Reply.chat("yes"))
    status, headers, _ = await gateway.chat("fast")
    assert status == 200
    parent, child = await gateway.recorded(2)
    assert parent.request_id == headers["x-routeiq-request-id"]
    assert child.route == f"nested:{parent.request_id}"
    assert (child.requested_model, child.status, child.principal) == ("strong", 200, parent.principal)
    assert child.usage is not None
    await gateway.app.shared.background.finish(5)
    assert sorted(bench.journal) == sorted(
        f"{what} {model}{' for master' if what == 'authorize' else ''}"
        for what in ("authorize", "reserve", "settle")
        for model in ("fast", "strong")
    )


async def test_what_a_nested_call_says_decides(bench) -> None:
    gateway = await bench.serve({"judge": JUDGE})
    bench.up.default_for("model-strong", Reply.chat("no"))
    status, _, body = await gateway.chat("fast")
    assert (status, body["error"]["message"]) == (403, "the judge said no")


async def test_a_nested_call_without_a_parent_is_the_gateways_own(bench, the_plugin) -> None:
    gateway = await bench.serve({"keeps": KEEPS})
    handle = the_plugin(gateway, "keeps").gateway
    answer = await handle.call(None, {"model": "fast", "messages": [{"role": "user", "content": "x"}]})
    assert answer["choices"][0]["message"]["content"] == "Hello from upstream."
    (record,) = await gateway.recorded()
    assert (record.route, record.principal) == ("nested", "gateway")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "nobody", "messages": []}, 400),
        ({"model": "fast"}, 400),
        ({"model": "fast", "messages": [], "stream": True}, 400),
        ({"model": "fast", "messages": []}, 429),
    ],
)
async def test_a_nested_call_fails_as_a_client_would_see_it(bench, the_plugin, body: dict, status: int) -> None:
    gateway = await bench.serve({"keeps": KEEPS})
    bench.up.script(Reply.rate_limited())
    with pytest.raises(RequestError) as caught:
        await the_plugin(gateway, "keeps").gateway.call(None, body)
    assert caught.value.status == status


async def test_a_plugin_that_calls_itself_without_end_is_stopped(bench) -> None:
    endless = (
        KEEPS
        + """
@hookimpl
async def guard_request(self, ctx: Context) -> None:
    await self.gateway.call(ctx, {"model": "strong", "messages": [{"role": "user", "content": "x"}]})
"""
    )
    gateway = await bench.serve({"endless": endless})
    async with asyncio.timeout(10):
        status, _, body = await gateway.chat("fast")
    assert status == 508
    assert "nested" in body["error"]["message"]
    assert len(gateway.records()) < 20


async def test_a_spool_keeps_what_was_acknowledged_over_a_restart(bench, the_plugin) -> None:
    gateway = await bench.serve({"keeps": KEEPS})
    handle = the_plugin(gateway, "keeps").gateway
    one, same = await asyncio.gather(handle.spool("ledger"), handle.spool("ledger"))
    assert one is same
    for number in range(3):
        await one.append(b"entry %d" % number)
    await gateway.app.stop()
    await gateway.app.start()
    spool = await the_plugin(gateway, "keeps").gateway.spool("ledger")
    assert [payload async for _, payload in spool.read()] == [b"entry 0", b"entry 1", b"entry 2"]


SINK = (
    KEEPS
    + """
@hookimpl
async def emit(self, events: Any) -> None:
    note(" ".join(event.name for event in events))
    failures = getattr(self, "failures", 0)
    if failures < int(self.config.tag or 0):
        self.failures = failures + 1
        raise ConnectionError("the inner reason")
    self.done.set()

def __init__(self, config: Conf) -> None:
    super().__init__(config)
    self.done = asyncio.Event()
"""
)


async def test_events_reach_every_sink_and_a_failed_delivery_is_made_again(bench, the_plugin) -> None:
    tags = {"steady": {}, "shaky": {"tag": "1"}}
    gateway = await bench.serve({"steady": SINK, "shaky": SINK}, routeiq={"plugins": tags})
    the_plugin(gateway, "steady").gateway.emit(Event("fixture.v1", 1, {}))
    async with asyncio.timeout(5):
        await the_plugin(gateway, "steady").done.wait()
        await the_plugin(gateway, "shaky").done.wait()
    assert bench.journal == ["fixture.v1"] * 3  # steady once, shaky twice: a batch may come again


async def test_events_that_are_queued_at_a_stop_are_delivered_before_the_sink_is_torn_down(bench, the_plugin) -> None:
    gateway = await bench.serve({"sink": SINK})
    handle = the_plugin(gateway, "sink").gateway
    for number in range(3):
        handle.emit(Event(f"event-{number}", 1, {}))
    await gateway.app.stop()
    assert " ".join(bench.journal) == "event-0 event-1 event-2"
    await gateway.app.start()


async def test_background_work_ends_with_its_plugin(bench, the_plugin) -> None:
    works = """
    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.started = asyncio.Event()
        gateway.spawn("forever", self.forever)
        gateway.spawn("broken", self.broken)

    async def forever(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            note("ended")

    async def broken(self) -> None:
        raise RuntimeError("the inner reason")

    @hookimpl
    async def teardown(self) -> None:
        note("teardown")
    """
    gateway = await bench.serve({"works": works})
    await the_plugin(gateway, "works").started.wait()
    assert (await gateway.chat("fast"))[0] == 200
    await gateway.app.stop()
    assert bench.journal == ["teardown", "ended"]
    await gateway.app.start()


async def test_plugins_share_state_and_reach_only_what_egress_allows(bench, the_plugin) -> None:
    gateway = await bench.serve({"one": KEEPS, "two": KEEPS})
    one, two = (the_plugin(gateway, name).gateway for name in ("one", "two"))
    assert await one.state.increment("shared", 2) == 2
    assert await two.state.increment("shared", 1) == 3
    assert one.data_dir != two.data_dir
    assert set(one.groups) >= {"fast", "strong"}
    async with one.egress.call("GET", f"{bench.up.base_url}/models") as response:
        assert response.status == 200  # the operator wrote this origin
    with pytest.raises(Exception, match=r"private|loopback|not allowed|refused"):
        async with one.egress.call("GET", "http://127.0.0.1:9/"):
            pass


ROUTES = """
@hookimpl
def register_routes(self, routes: Any) -> None:
    for access in ("public", "key", "admin"):
        action = None if access == "public" else "fixture:read"
        routes.add("GET", f"/fixture/{access}/{{word}}", self.answer, access=access, action=action, summary="Fixture")
    routes.add("POST", "/fixture/body", self.echo, access="key", action="fixture:write", summary="Echo")
    routes.add("GET", "/fixture/stream", self.stream, access="public", summary="Stream")
    routes.add("GET", "/fixture/broken", self.broken, access="public", summary="Broken")

@hookimpl
async def authenticate(self, ctx: Context) -> Any:
    told = ctx.headers.get("x-fixture-user")
    return Principal(told, kind="user", user=told) if told else None

async def answer(self, request: Any) -> Any:
    who = request.principal.id if request.principal else None
    return HttpResponse.json({"word": request.path_params["word"], "who": who, "query": dict(request.query)})

async def echo(self, request: Any) -> Any:
    return HttpResponse.json(request.json(), status=201, headers={"x-fixture": "yes"})

async def stream(self, request: Any) -> Any:
    async def parts() -> Any:
        yield b"one "
        yield b"two"
    return HttpResponse(200, parts(), media_type="text/plain")

async def broken(self, request: Any) -> Any:
    raise RuntimeError("the inner reason")
"""


@pytest.mark.parametrize(
    ("access", "headers", "status", "who"),
    [
        ("public", {}, 200, None),
        ("key", {}, 401, None),
        ("key", {"authorization": "Bearer wrong"}, 401, None),
        ("key", {"x-fixture-user": "ann"}, 200, "ann"),
        ("key", {"authorization": "master"}, 200, "master"),
        ("admin", {}, 401, None),
        ("admin", {"x-fixture-user": "ann"}, 403, None),
        ("admin", {"authorization": "master"}, 200, "master"),
    ],
)
async def test_the_access_a_route_declares_is_enforced(
    bench, access: str, headers: dict, status: int, who: str | None
) -> None:
    import aiohttp

    gateway = await bench.serve({"routes": ROUTES})
    headers = {name: f"Bearer {gateway.key}" if value == "master" else value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{gateway.url}/fixture/{access}/w?q=1", headers=headers) as response,
    ):
        assert response.status == status
        assert response.headers["x-routeiq-request-id"]
        body = await response.json()
    if status == 200:
        assert body == {"word": "w", "who": who, "query": {"q": "1"}}
    else:
        assert body["error"]["code"] == str(status)


async def test_routes_of_plugins_take_bodies_stream_and_fail_without_telling_why(bench) -> None:
    gateway = await bench.serve({"routes": ROUTES})
    async with gateway.session.post("/fixture/body", json={"a": 1}) as response:
        assert (response.status, response.headers["x-fixture"], await response.json()) == (201, "yes", {"a": 1})
    async with gateway.session.get("/fixture/stream") as response:
        assert await response.text() == "one two"
    async with gateway.session.get("/fixture/broken") as response:
        assert response.status == 500
        assert "inner reason" not in await response.text()
    async with gateway.session.post("/fixture/stream") as response:
        assert response.status == 405
    async with gateway.session.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    assert paths["/fixture/admin/{word}"]["get"]["tags"] == ["routes"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'routes.add("GET", "/v1/models", self.answer, access="key", action="x:y", summary="x")',
            "is taken by routeiq",
        ),
        ('routes.add("GET", "/x", self.answer, access="road", summary="x")', "'road'"),
        ('routes.add("GET", "/x", self.answer, access="everyone", summary="x")', "declares access 'everyone'"),
        ('routes.add("GET", "/x", self.answer, access="key", summary="x")', "declares the action ''"),
        (
            'routes.add("GET", "/x", self.answer, access="admin", action="Read", summary="x")',
            "declares the action 'Read'",
        ),
    ],
)
async def test_a_route_that_cannot_be_added_stops_the_start_and_names_its_plugin(bench, line: str, said: str) -> None:
    source = f"""
    @hookimpl
    def register_routes(self, routes: Any) -> None:
        {line}

    async def answer(self, request: Any) -> Any:
        return HttpResponse.json({{}})
    """
    with pytest.raises(ConfigError, match="plugin 'greedy'") as caught:
        await bench.serve({"greedy": source})
    assert said in str(caught.value)


async def test_the_status_route_shows_how_often_and_how_long_each_plugin_was_asked(bench) -> None:
    sometimes = """
    @hookimpl
    async def authorize(self, ctx: Context) -> None:
        if ctx.request.model == "strong":
            raise RuntimeError("the inner reason")
    """
    gateway = await bench.serve({"some": sometimes})
    assert (await gateway.chat("fast"))[0] == 200
    assert (await gateway.chat("strong"))[0] == 503
    async with gateway.session.get("/routeiq/v1/status") as response:
        body = await response.json()
    figures = body["hooks"]["some.authorize"]
    assert (figures["calls"], figures["errors"]) == (2, 1)
    assert figures["total_ns"] >= figures["max_ns"] > 0
    assert body["plugins"] == ["some"]
    assert "inner reason" not in json.dumps(body)


DOORKEEPER = (
    KEEPS
    + """
@hookimpl
async def authorize_action(self, ctx: Context, action: str) -> Any:
    note(f"{ctx.principal.id} {action} {ctx.route} {ctx.client}")
    return Reject(403, "not for you") if action == "thing:break" else None

@hookimpl
async def commit(self, event: Any) -> None:
    note(f"{event.name} {event.payload['status']}")
"""
)


async def test_a_listener_of_a_plugins_own_walks_what_a_route_walks(bench, the_plugin) -> None:
    gateway = await bench.serve({"keeper": DOORKEEPER})
    handle, shared = the_plugin(gateway, "keeper").gateway, gateway.app.shared
    known = Headers([(b"authorization", f"Bearer {gateway.key}".encode())])
    how = {"action": "thing:call", "client": "192.0.2.7"}
    async with handle.admitted("/service/Method", known, **how) as ctx:
        assert ctx.principal.id == "master"
        assert (shared.in_flight.now, shared.drain.live, gateway.runtime.users.now) == (1, 1, 1)
    assert bench.journal == ["master thing:call /service/Method 192.0.2.7"]
    async with handle.admitted("/service/Method", known, **how, long_lived=True):
        assert (shared.in_flight.now, shared.drain.live, gateway.runtime.users.now) == (0, 1, 1)
    bench.journal.clear()
    refused = [(Headers([]), "thing:call", 401), (known, "thing:break", 403)]
    for headers, action, status in refused:
        with pytest.raises(RequestError) as caught:
            async with handle.admitted("/service/Method", headers, action=action, client="192.0.2.7"):
                raise AssertionError("nobody may come in")
        assert caught.value.status == status
    told = [line for line in bench.journal if line.startswith("routeiq.")]
    assert told == ["routeiq.admission.v1 401", "routeiq.admission.v1 403"]
    shared.in_flight.most = 0
    with pytest.raises(RequestError, match="bound of requests in flight"):
        async with handle.admitted("/service/Method", known, **how):
            pass
    assert (shared.in_flight.now, shared.drain.live, gateway.runtime.users.now) == (0, 0, 0)


async def test_a_drain_waits_for_a_plugins_own_listener_and_lets_nobody_in(bench, the_plugin) -> None:
    gateway = await bench.serve({"keeper": DOORKEEPER})
    handle, shared = the_plugin(gateway, "keeper").gateway, gateway.app.shared
    known = Headers([(b"authorization", f"Bearer {gateway.key}".encode())])
    inside = asyncio.Event()

    async def stay() -> None:
        async with handle.admitted("/service/Method", known, action="thing:call"):
            inside.set()
            await asyncio.Event().wait()

    staying = asyncio.create_task(stay())
    await inside.wait()
    shared.drain.begin()
    with pytest.raises(RequestError, match="starts or stops"):
        async with handle.admitted("/service/Method", known, action="thing:call"):
            pass
    assert shared.drain.live == 1
    shared.drain.cut()
    with pytest.raises(asyncio.CancelledError):
        await staying
    assert (shared.in_flight.now, shared.drain.live, gateway.runtime.users.now) == (0, 0, 0)
