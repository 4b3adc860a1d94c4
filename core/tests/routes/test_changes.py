"""Changes and refused callers are told to `commit` hooks: before they are made, before they are acknowledged."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

WITNESS = dedent(
    """
    from __future__ import annotations
    from typing import Any
    from routeiq_sdk import *
    from routeiq_sdk.values.http import HttpRequest, HttpResponse

    class Fixture(Plugin[PluginConfig]):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.committed: list[Event] = []
            self.order: list[str] = []
            self.full_at = ""

        @hookimpl
        def register_routes(self, routes: Any) -> None:
            routes.add("POST", "/things/{thing_id}", self.make, access="admin", action="thing:create", summary="F")
            routes.add("GET", "/things", self.look, access="admin", action="thing:list", summary="F")

        async def make(self, request: HttpRequest) -> HttpResponse:
            self.order.append("made")
            if request.path_params["thing_id"] == "bad":
                raise RequestError(409, "there is one already")
            return HttpResponse.json({"key": "sk-made-0123456789abcdef", "key_id": "k-7"})

        async def look(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse.json([])

        @hookimpl
        async def commit(self, event: Event) -> None:
            phase = event.payload.get("phase") or event.payload.get("stage")
            if phase == self.full_at:
                raise RequestError(503, "the disk is full", type="audit_unavailable")
            self.order.append(phase)
            self.committed.append(event)

        @hookimpl
        async def emit(self, events: Any) -> None:
            self.order.append("emitted")
    """
)


class Bench:
    def __init__(self, running: TestGateway) -> None:
        self.running = running
        members = running.runtime.plugins.members
        self.plugin: Any = next(member.instance for member in members if member.name == "witness")

    async def call(self, method: str, path: str, key: str | None = None, **more: Any) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.running.session.request(method, path, headers=headers, **more) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def bench(gateway: StartGateway, plugin_folder: PluginFolder) -> Bench:
    plugin_folder.install("witness", WITNESS)
    return Bench(await gateway({"model_list": [], "routeiq": {"plugins": {"witness": {}}}}))


async def test_a_change_is_told_before_it_is_made_and_before_it_is_acknowledged(bench: Bench) -> None:
    body = {"team_id": "t1", "max_budget": 5, "api_key": "sk-secret-0123456789", "note": "x" * 1000, "key": "sk-a"}
    status, _ = await bench.call("POST", "/things/t-9", json=body)
    assert status == 200
    assert bench.plugin.order == ["asked", "made", "done"]
    asked, done = (event.payload for event in bench.plugin.committed)
    assert {event.name for event in bench.plugin.committed} == {"routeiq.admin.v1"}
    assert (asked["action"], asked["route"], asked["status"]) == ("thing:create", "/things/{thing_id}", 0)
    assert asked["target"] == {"team_id": "t1", "thing_id": "t-9"}
    assert (asked["changes"]["max_budget"], len(asked["changes"]["note"])) == (5, 256)
    assert {asked["changes"][name] for name in ("api_key", "key")} == {"**********"}
    assert done["target"] == {"team_id": "t1", "thing_id": "t-9", "key_id": "k-7"}
    assert (done["status"], done["principal"], done["request_id"]) == (200, "master", asked["request_id"])
    assert "sk-" not in str(bench.plugin.committed)


async def test_a_change_that_fails_is_told_as_failed(bench: Bench) -> None:
    status, _ = await bench.call("POST", "/things/bad", json={})
    assert status == 409
    assert bench.plugin.order == ["asked", "made", "failed"]
    assert bench.plugin.committed[-1].payload["error"] == "there is one already"


async def test_a_change_that_cannot_be_told_is_not_made(bench: Bench) -> None:
    bench.plugin.full_at = "asked"
    status, told = await bench.call("POST", "/things/t-9", json={})
    assert (status, told["error"]["type"]) == (503, "audit_unavailable")
    assert "made" not in bench.plugin.order


async def test_a_change_whose_outcome_cannot_be_told_says_that_it_was_made(bench: Bench) -> None:
    bench.plugin.full_at = "done"
    status, told = await bench.call("POST", "/things/t-9", json={})
    assert status == 503
    assert "The change was made, but its audit event could not be written" in told["error"]["message"]
    assert "sk-made" not in str(told)


async def test_the_cores_own_changes_are_told_too(bench: Bench) -> None:
    status, _ = await bench.call("POST", "/routeiq/v1/reload")
    assert status == 200
    assert [event.payload["action"] for event in bench.plugin.committed] == ["gateway:reload"] * 2


async def test_looking_is_no_change(bench: Bench) -> None:
    assert (await bench.call("GET", "/things"))[0] == 200
    assert bench.plugin.committed == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/things"), ("POST", "/v1/chat/completions")])
async def test_a_refused_caller_is_told_before_the_refusal(bench: Bench, method: str, path: str) -> None:
    status, _ = await bench.call(method, path, key="sk-nobody-0123456789abcdef", json={})
    assert status == 401
    (event,) = bench.plugin.committed
    assert (event.name, event.payload["stage"], event.payload["status"]) == (
        "routeiq.admission.v1",
        "authenticate",
        401,
    )
    assert "sk-nobody" not in str(event)


@pytest.mark.parametrize(("method", "path"), [("GET", "/things"), ("POST", "/v1/chat/completions")])
async def test_a_refusal_that_cannot_be_told_refuses_all_the_same(bench: Bench, method: str, path: str) -> None:
    bench.plugin.full_at = "authenticate"
    status, _ = await bench.call(method, path, key="sk-nobody-0123456789abcdef", json={})
    assert status == 503


async def test_what_was_committed_is_not_emitted_to_the_same_plugin(bench: Bench) -> None:
    await bench.call("POST", "/things/t-9", json={})
    await bench.running.runtime.fan_out.flush()
    assert "emitted" not in bench.plugin.order
