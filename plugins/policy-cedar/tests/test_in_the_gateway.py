"""The plugin in a whole gateway: routes over HTTP, refusals on every surface, validation with line and mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

BASE = "/routeiq/v1/cedar"
NO_SMART = '@id("no-smart") forbid(principal, action, resource == Model::"smart");'


def config(base_url: str, **cedar: Any) -> dict[str, Any]:
    return {
        "model_list": [openai_row(name, base_url) for name in ("fast", "smart")],
        "router_settings": {"fallbacks": [{"fast": ["smart"]}], "num_retries": 0},
        "routeiq": {"plugins": {"policy-cedar": {"bind_admin": True, **cedar}}},
    }


async def ask(gateway: TestGateway, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
    async with gateway.session.request(method, BASE + path, json=body, params=query) as response:
        return response.status, await response.json()


async def test_a_policy_holds_from_the_moment_it_is_added_until_it_is_gone(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream.base_url))
    assert (await running.chat("smart"))[0] == 200
    status, added = await ask(running, "POST", "/policies", {"id": "smart", "policy": NO_SMART})
    assert (status, added["id"], added["created_by"]) == (201, "smart", "master")
    status, _, body = await running.chat("smart")
    assert (status, body["error"]["type"]) == (403, "policy_denied")
    assert "'no-smart'" in body["error"]["message"]
    assert (await running.chat("fast"))[0] == 200
    assert (await ask(running, "PATCH", "/policies/smart", {"enabled": False}))[0] == 200
    assert (await running.chat("smart"))[0] == 200
    assert (await ask(running, "PATCH", "/policies/smart", {"enabled": True}))[0] == 200
    assert (await running.chat("smart"))[0] == 403
    assert await ask(running, "DELETE", "/policies/smart") == (200, {"id": "smart", "deleted": True})
    assert (await running.chat("smart"))[0] == 200
    assert (await ask(running, "GET", "/policies/smart"))[0] == 404


async def test_a_fallback_is_refused_like_the_model_itself(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    (tmp_path / "a.cedar").write_text(NO_SMART)
    running = await gateway(config(scripted_upstream.base_url, policies=[str(tmp_path / "a.cedar")]))
    scripted_upstream.default_for("scripted-model", Reply.error(500, "down"))
    status, _, body = await running.chat("fast")
    assert status == 403, body
    assert len(scripted_upstream.requests) == 1


async def test_routes_are_judged_by_their_action(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    text = 'forbid(principal, action == Action::"gateway:read", resource == Route::"GET /routeiq/v1/status");'
    (tmp_path / "a.cedar").write_text(text)
    running = await gateway(config(scripted_upstream.base_url, policies=[str(tmp_path / "a.cedar")]))
    async with running.session.get("/routeiq/v1/status") as response:
        assert response.status == 403
    async with running.session.get("/routeiq/v1/decisions") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {
                "id": "a",
                "policy": 'permit(principal, action, resource);\nforbid(principal in Teem::"x", action, resource);',
            },
            ("line 2", "Team"),
        ),
        ({"id": "a", "policy": "permit(principal, action, resource)"}, ("line 1", "semicolon")),
        ({"id": "a", "policy": ""}, ("no policy",)),
        ({"id": "a b", "policy": NO_SMART}, ("id",)),
        ({"id": "a", "policy": NO_SMART, "more": 1}, ("more",)),
        ({"policy": NO_SMART}, ("id",)),
        ({"id": "b", "policy": NO_SMART}, ("taken",)),
    ],
)
async def test_what_does_not_pass_is_refused_with_line_and_mend(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, body: dict[str, Any], words: tuple[str, ...]
) -> None:
    running = await gateway(config(scripted_upstream.base_url))
    if words == ("taken",):
        assert (await ask(running, "POST", "/policies", {"id": "first", "policy": NO_SMART}))[0] == 201
    for path in ("/policies", "/validate"):
        status, answer = await ask(running, "POST", path, body)
        assert status == 400, answer
        assert all(word in answer["error"]["message"] for word in words)


async def test_an_id_is_given_once(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway(config(scripted_upstream.base_url))
    other = "forbid(principal, action, resource) when { false };"
    assert (await ask(running, "POST", "/policies", {"id": "a", "policy": other}))[0] == 201
    assert (await ask(running, "POST", "/policies", {"id": "a", "policy": other}))[0] == 409
    assert (await ask(running, "PATCH", "/policies/nobody", {"enabled": True}))[0] == 404
    assert (await ask(running, "DELETE", "/policies/nobody"))[0] == 404


async def test_policies_of_files_are_shown_and_not_changed(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    (tmp_path / "a.cedar").write_text(NO_SMART)
    running = await gateway(config(scripted_upstream.base_url, policies=[str(tmp_path / "a.cedar")]))
    _, listed = await ask(running, "GET", "/policies")
    assert listed["files"] == [
        {"file": str(tmp_path / "a.cedar"), "policies": [{"id": "no-smart", "line": 1, "forbids": True}]}
    ]
    assert (await ask(running, "DELETE", "/policies/no-smart"))[0] == 404
    async with running.session.get(BASE + "/schema") as response:
        assert 'action "chat:create"' in await response.text()


async def test_a_trial_says_which_policy_decided(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    (tmp_path / "a.cedar").write_text(
        '@id("interns")\nforbid(principal in Role::"intern", action, resource) when { context.hour >= 20 };'
    )
    running = await gateway(config(scripted_upstream.base_url, policies=[str(tmp_path / "a.cedar")]))
    trial = {"principal": {"user": "ann", "roles": ["intern"]}, "resource": {"model": "fast"}}
    late, early = {"at": "2026-05-01T21:00:00Z"}, {"at": "2026-05-01T09:00:00Z"}
    status, verdict = await ask(running, "POST", "/test", {**trial, "context": late})
    assert status == 200
    assert (verdict["decision"], verdict["by"]) == ("deny", "policies")
    assert [(policy["id"], policy["line"], policy["forbids"]) for policy in verdict["policies"]] == [
        ("interns", 1, True)
    ]
    _, verdict = await ask(running, "POST", "/test", {**trial, "context": early})
    assert (verdict["decision"], verdict["by"], verdict["policies"]) == ("allow", "default", [])
    more = '@id("none") forbid(principal, action, resource);'
    _, verdict = await ask(running, "POST", "/test", {**trial, "context": early, "policy": more})
    assert [policy["id"] for policy in verdict["policies"]] == ["none"]
    assert (await running.chat("fast"))[0] == 200, "a trial adds nothing"
    for wrong in ({"context": {"ip": "nowhere"}}, {"action": "no action"}, {"policy": "permit("}, {"odd": 1}):
        assert (await ask(running, "POST", "/test", wrong))[0] == 400, wrong


async def test_nobody_but_admins_sees_policies(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway(config(scripted_upstream.base_url))
    for method, path in (("GET", "/policies"), ("POST", "/policies"), ("POST", "/test"), ("GET", "/schema")):
        async with running.session.request(
            method, BASE + path, headers={"authorization": "Bearer sk-nobody"}
        ) as response:
            assert response.status == 401
