"""A reload swaps the whole runtime or nothing: no request fails, streams finish, plugins live on or are handed over."""

from __future__ import annotations

import asyncio

import pytest

from routeiq.config.errors import ConfigErrors
from routeiq_sdk import ConfigError, PluginError
from routeiq_testkit import Reply
from routeiq_testkit.gateway import openai_row

LIFE = """
{exclusive}

@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway
    note("setup " + self.config.tag)
    if self.config.tag == "broken":
        raise RuntimeError("it cannot be set up")

@hookimpl
async def teardown(self) -> None:
    note("teardown " + self.config.tag)

@hookimpl
async def guard_response(self, ctx: Context, response: Any) -> None:
    note("asked " + self.config.tag)
"""
PLAIN = LIFE.format(exclusive="")
EXCLUSIVE = LIFE.format(exclusive="exclusive = frozenset({'log'})")


def tagged(**tags: str) -> dict:
    return {"plugins": {name: {"tag": tag} for name, tag in tags.items()}}


async def old_runtime_closed(gateway) -> None:
    async with asyncio.timeout(5):
        await asyncio.wait((gateway.app._closing,))


async def test_a_changed_model_list_takes_effect_and_no_request_under_load_fails(bench) -> None:
    gateway = await bench.serve({})
    stop = asyncio.Event()
    statuses: list[int] = []

    async def load() -> None:
        while not stop.is_set():
            status, _, _ = await gateway.chat("fast")
            statuses.append(status)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        await bench.up.until_requests(8)
        for number in range(3):
            rows = [openai_row("fast", bench.up.base_url, f"model-{number}")]
            gateway.write({**bench.config(), "model_list": rows, "routeiq": {}})
            await gateway.app.reload()
            await bench.up.until_requests(len(bench.up.requests) + 8)
        stop.set()
    assert set(statuses) == {200}
    assert {request.model for request in bench.up.requests} == {"model-fast", "model-0", "model-1", "model-2"}


async def test_the_route_reloads_and_tells_the_new_revision(bench) -> None:
    gateway = await bench.serve({})
    async with gateway.session.get("/v1/models") as response:
        old = response.headers["x-routeiq-config"]
    gateway.write({**bench.config(), "model_list": [openai_row("another", bench.up.base_url)], "routeiq": {}})
    async with gateway.session.post("/routeiq/v1/reload") as response:
        assert response.status == 200
        revision = (await response.json())["config"]
    async with gateway.session.get("/v1/models") as response:
        assert revision.startswith(response.headers["x-routeiq-config"])
        assert response.headers["x-routeiq-config"] != old
        assert [model["id"] for model in (await response.json())["data"]] == ["another"]
    assert (await gateway.chat("fast"))[0] == 400
    assert (await gateway.chat("another"))[0] == 200


async def test_a_bad_file_keeps_the_old_configuration_and_says_where_and_what(bench) -> None:
    gateway = await bench.serve({})
    good = gateway.path.read_text()
    gateway.path.write_text(good.replace("num_retries: 0", "num_retries: many"))
    with pytest.raises(ConfigErrors):
        await gateway.app.reload()
    line = next(n for n, text in enumerate(good.splitlines(), 1) if "num_retries" in text)
    async with gateway.session.post("/routeiq/v1/reload") as response:
        assert response.status == 400
        message = (await response.json())["error"]["message"]
    assert f"{gateway.path}:{line}:" in message
    assert "num_retries" in message
    assert (await gateway.chat("fast"))[0] == 200
    gateway.path.write_text(": : not yaml [")
    with pytest.raises(ConfigError):
        await gateway.app.reload()
    assert (await gateway.chat("fast"))[0] == 200


async def test_a_file_that_is_gone_keeps_the_old_configuration(bench) -> None:
    gateway = await bench.serve({})
    gateway.path.unlink()
    async with gateway.session.post("/routeiq/v1/reload") as response:
        assert response.status == 400
    assert (await gateway.chat("fast"))[0] == 200


async def test_a_missing_protective_plugin_refuses_the_reload(bench) -> None:
    gateway = await bench.serve({})
    gateway.write({**bench.config(), "general_settings": {"allowed_ips": ["10.0.0.1"]}})
    with pytest.raises(ConfigError, match=r"allowed_ips|governance"):
        await gateway.app.reload()
    assert (await gateway.chat("fast"))[0] == 200


async def test_an_unchanged_plugin_keeps_its_instance_and_a_changed_one_is_replaced(bench, the_plugin) -> None:
    gateway = await bench.serve({"kept": PLAIN, "changed": PLAIN}, routeiq=tagged(kept="k", changed="1"))
    kept, changed = the_plugin(gateway, "kept"), the_plugin(gateway, "changed")
    gateway.write(bench.config("kept", "changed", routeiq=tagged(kept="k", changed="2")))
    await gateway.app.reload()
    await old_runtime_closed(gateway)
    assert the_plugin(gateway, "kept") is kept
    assert the_plugin(gateway, "changed") is not changed
    assert bench.journal == ["setup k", "setup 1", "setup 2", "teardown 1"]


async def test_a_removed_plugin_is_torn_down_after_its_requests_ended(bench) -> None:
    gateway = await bench.serve({"old": PLAIN}, routeiq=tagged(old="old"))
    held = asyncio.Event()

    def slow(request):
        held.set()
        return Reply.chat("late").delayed(0.2)

    bench.up.script(Reply.choose(slow))
    running = asyncio.create_task(gateway.chat("fast"))
    async with asyncio.timeout(5):
        await held.wait()
    gateway.write(bench.config())
    await gateway.app.reload()
    assert "teardown old" not in bench.journal
    assert (await running)[0] == 200
    await old_runtime_closed(gateway)
    assert bench.journal == ["setup old", "asked old", "teardown old"]


async def test_a_stream_that_began_before_a_reload_finishes_with_its_own_runtime(bench) -> None:
    gateway = await bench.serve({"old": PLAIN}, routeiq=tagged(old="old"))
    bench.up.script(Reply.stream([f"{n} " for n in range(20)], gap=0.02))
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with gateway.session.post("/v1/chat/completions", json=body) as response:
        await response.content.readuntil(b"\n\n")
        gateway.write({**bench.config(), "model_list": [openai_row("another", bench.up.base_url)], "routeiq": {}})
        await gateway.app.reload()
        assert (await gateway.chat("another"))[0] == 200
        rest = await response.read()
    assert rest.endswith(b"data: [DONE]\n\n")
    await old_runtime_closed(gateway)
    streamed = next(record for record in await gateway.recorded(2) if record.stream)
    assert (streamed.status, streamed.model) == (200, "model-fast")
    assert bench.journal[-1] == "teardown old"


async def test_a_plugin_that_cannot_be_set_up_leaves_the_old_runtime_serving(bench) -> None:
    gateway = await bench.serve({"life": PLAIN}, routeiq=tagged(life="1"))
    gateway.write(bench.config("life", routeiq=tagged(life="broken")))
    with pytest.raises(PluginError, match="it cannot be set up"):
        await gateway.app.reload()
    async with gateway.session.post("/routeiq/v1/reload") as response:
        assert response.status == 400
    assert (await gateway.chat("fast"))[0] == 200
    assert bench.journal == ["setup 1", *["setup broken", "teardown broken"] * 2, "asked 1"]


async def test_an_exclusive_resource_is_handed_over_and_goes_back_when_its_new_holder_fails(bench) -> None:
    gateway = await bench.serve({"log": EXCLUSIVE}, routeiq=tagged(log="1"))
    gateway.write(bench.config("log", routeiq=tagged(log="2")))
    await gateway.app.reload()
    await old_runtime_closed(gateway)
    assert bench.journal == ["setup 1", "teardown 1", "setup 2"]
    gateway.write(bench.config("log", routeiq=tagged(log="broken")))
    with pytest.raises(PluginError):
        await gateway.app.reload()
    assert bench.journal[3:] == ["teardown 2", "setup broken", "teardown broken", "setup 2"]
    assert (await gateway.chat("fast"))[0] == 200


async def test_reloads_at_once_all_end_and_the_last_file_serves(bench) -> None:
    gateway = await bench.serve({})

    async def reload() -> int:
        async with gateway.session.post("/routeiq/v1/reload") as response:
            return response.status

    gateway.write({**bench.config(), "model_list": [openai_row("another", bench.up.base_url)], "routeiq": {}})
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(reload() for _ in range(4))) == [200] * 4
    assert (await gateway.chat("another"))[0] == 200


async def test_a_reload_does_not_wait_for_the_streams_of_an_earlier_one(bench) -> None:
    gateway = await bench.serve({"life": PLAIN}, routeiq=tagged(life="1"))
    bench.up.script(Reply.hang(after_events=2))
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    response = await gateway.session.post("/v1/chat/completions", json=body)
    await response.content.readuntil(b"\n\n")
    async with asyncio.timeout(5):
        for tag in ("2", "3"):
            gateway.write(bench.config("life", routeiq=tagged(life=tag)))
            await gateway.app.reload()
    assert bench.journal == ["setup 1", "setup 2", "setup 3"]  # the stream may still need what is older
    response.close()
    await old_runtime_closed(gateway)
    assert bench.journal[3:] == ["teardown 1", "teardown 2"]


async def test_a_plugin_set_up_at_a_reload_sees_the_models_it_will_serve(bench) -> None:
    looks = """
    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway = gateway
        note(" ".join(sorted(gateway.groups)))
    """
    gateway = await bench.serve({"looks": looks}, routeiq=tagged(looks="1"))
    rows = [openai_row("another", bench.up.base_url)]
    block = {"virtual_models": {}, **tagged(looks="2")}
    gateway.write(bench.config("looks", model_list=rows, routeiq=block))
    await gateway.app.reload()
    assert bench.journal == ["fast strong", "another"]


async def test_a_kept_plugin_sees_the_models_of_the_runtime_that_serves(bench, the_plugin) -> None:
    gateway = await bench.serve({"kept": PLAIN}, routeiq=tagged(kept="k"))
    handle = the_plugin(gateway, "kept").gateway
    rows = [openai_row("another", bench.up.base_url)]
    gateway.write(bench.config("kept", model_list=rows, routeiq={"virtual_models": {}, **tagged(kept="k")}))
    await gateway.app.reload()
    assert sorted(handle.groups) == ["another"]
    answer = await handle.call(None, {"model": "another", "messages": [{"role": "user", "content": "x"}]})
    assert answer["model"] == "another"


async def test_a_benched_deployment_stays_benched_over_a_reload(bench) -> None:
    gateway = await bench.serve({}, router_settings={"num_retries": 0, "cooldown_time": 60})
    bench.up.script(Reply.error(401, "authentication_error", "no"))
    assert (await gateway.chat("fast"))[0] == 401
    assert (await gateway.chat("fast"))[0] == 429
    await gateway.app.reload()
    assert (await gateway.chat("fast"))[0] == 429
