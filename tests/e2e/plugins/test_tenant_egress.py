"""Tenants reach what `routeiq.egress.tenants` lists for them: through every surface, by nested calls, by fallbacks."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq.config import load
from routeiq.preflight import preflight
from routeiq_sdk import ConfigError
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row

WHO = """
@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway

@hookimpl
async def authenticate(self, ctx: Context) -> Principal | None:
    team, organization = ctx.headers.get("x-team"), ctx.headers.get("x-organization")
    return Principal(team or organization, team=team, organization=organization) if team or organization else None
"""
ASKS = """
@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway

@hookimpl
async def guard_request(self, ctx: Context) -> None:
    if ctx.route.startswith("nested"):
        return
    body = {"model": "strong", "messages": [{"role": "user", "content": "judge"}]}
    try:
        await self.gateway.call(ctx, body)
    except RequestError as refused:
        note(f"{refused.status} {refused.message}")
"""
MESSAGES = [{"role": "user", "content": "hello"}]


async def ask(gateway: Any, path: str = "/v1/chat/completions", *, model: str = "fast", **who: str) -> tuple[int, Any]:
    headers = {f"x-{name}": value for name, value in who.items()}
    body = {"model": model, "messages": MESSAGES, "max_tokens": 5, "prompt": "x", "input": "x"}
    async with gateway.session.post(path, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


def here(upstream: ScriptedUpstream) -> str:
    return upstream.origin.removeprefix("http://")


async def test_a_team_reaches_only_what_its_list_names(bench: Any) -> None:
    lists = {"in": {"only": [here(bench.up)]}, "net": {"only": ["127.0.0.0/8"]}, "out": {"only": ["api.example.com"]}}
    gateway = await bench.serve({"who": WHO}, routeiq={"egress": {"tenants": {**lists, "none": {"only": []}}}})
    for team, status in (("in", 200), ("net", 200), ("out", 403), ("none", 403), ("unlisted", 200)):
        assert (await ask(gateway, team=team))[0] == status
    assert (await ask(gateway))[0] == 200  # the master key belongs to no tenant
    assert len(bench.up.requests) == 4


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions", "permission_error"),
        ("/v1/completions", "permission_error"),
        ("/v1/embeddings", "permission_error"),
        ("/v1/messages", "permission_error"),
    ],
)
async def test_the_refusal_is_one_403_in_the_surfaces_shape(path: str, kind: str, bench: Any) -> None:
    gateway = await bench.serve({"who": WHO}, routeiq={"egress": {"tenants": {"out": {"only": ["api.example.com"]}}}})
    status, body = await ask(gateway, path, team="out")
    assert status == 403
    assert (body.get("type") == "error") == (path == "/v1/messages")
    assert body["error"]["type"] == kind
    assert body["error"]["message"] == (
        "The egress list of 'out' (routeiq.egress.tenants) covers no deployment of fast."
    )
    assert bench.up.requests == []


async def test_an_organizations_list_binds_its_teams(bench: Any) -> None:
    lists = {"acme": {"only": ["api.example.com"]}, "in": {"only": [here(bench.up)]}}
    gateway = await bench.serve({"who": WHO}, routeiq={"egress": {"tenants": lists}})
    assert (await ask(gateway, organization="acme"))[0] == 403
    assert (await ask(gateway, team="in", organization="acme"))[0] == 403
    assert (await ask(gateway, team="in", organization="other"))[0] == 200


async def test_a_nested_call_is_bound_like_its_parent(bench: Any) -> None:
    async with ScriptedUpstream() as other:
        bench.install("who", WHO)
        bench.install("asks", ASKS)
        config = bench.config("who", "asks", routeiq={"egress": {"tenants": {"in": {"only": [here(bench.up)]}}}})
        config["model_list"] = [openai_row("fast", bench.up.base_url), openai_row("strong", other.base_url)]
        gateway = await bench.start(config)
        assert (await ask(gateway, team="in"))[0] == 200
        assert other.requests == []
        (told,) = bench.journal
        assert told.startswith("403 The egress list of 'in'")
        assert (await ask(gateway, team="unlisted"))[0] == 200
        assert len(other.requests) == 1


async def test_deployments_outside_are_skipped_and_fallbacks_outside_refused(bench: Any) -> None:
    async with ScriptedUpstream() as other:
        bench.install("who", WHO)
        config = bench.config("who", routeiq={"egress": {"tenants": {"in": {"only": [here(bench.up)]}}}})
        config["model_list"] = [
            *(
                openai_row("fast", base, f"m{number}")
                for number, base in enumerate([bench.up.base_url, other.base_url])
            ),
            openai_row("strong", other.base_url),
        ]
        config["router_settings"] = {"num_retries": 0, "fallbacks": [{"fast": ["strong"]}]}
        gateway = await bench.start(config)
        for _ in range(6):
            assert (await ask(gateway, team="in"))[0] == 200
        bench.up.script(Reply.error(500))
        assert (await ask(gateway, team="in"))[0] >= 400
        assert (len(bench.up.requests), other.requests) == (7, [])


async def test_a_virtual_model_chooses_within_reach(bench: Any) -> None:
    async with ScriptedUpstream() as other:
        bench.install("who", WHO)
        config = bench.config("who", routeiq={"egress": {"tenants": {"in": {"only": [here(bench.up)]}}}})
        config["model_list"] = [openai_row("fast", other.base_url), openai_row("strong", bench.up.base_url)]
        gateway = await bench.start(config)
        assert (await ask(gateway, model="auto", team="in"))[0] == 200
        assert (len(bench.up.requests), other.requests) == (1, [])


async def test_a_name_that_leaves_the_tenants_network_is_a_403_of_the_door(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when it is called shows where the name leads; the deployment is not benched for the others."""

    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr("routeiq.egress.client.system_lookup", lambda executor: look_up)
    bench.install("who", WHO)
    lists = {"in": {"only": ["10.0.0.0/8"]}, "net": {"only": ["127.0.0.0/8"]}}
    config = bench.config("who", routeiq={"egress": {"tenants": lists}})
    port = here(bench.up).rpartition(":")[2]
    config["model_list"] = [openai_row(name, f"http://model.example:{port}/v1") for name in ("fast", "strong")]
    gateway = await bench.start(config)
    for _ in range(3):
        status, body = await ask(gateway, team="in")
        assert status == 403
        assert "egress list of 'in'" in body["error"]["message"]
    assert (await ask(gateway, team="net"))[0] == 200
    assert len(bench.up.requests) == 1


async def test_what_a_plugin_calls_for_a_tenant_is_bound(bench: Any, the_plugin: Any) -> None:
    lists = {"out": {"only": ["api.example.com"]}}
    gateway = await bench.serve({"who": WHO}, routeiq={"egress": {"tenants": lists}})
    egress = the_plugin(gateway, "who").gateway.egress
    with pytest.raises(Exception, match="does not list it for 'out'"):
        async with egress.call("GET", f"{bench.up.base_url}/models", tenants=("out", "acme")):
            pass
    async with egress.call("GET", f"{bench.up.base_url}/models") as response:
        assert response.status == 200
    with pytest.raises(Exception, match="loopback"):
        async with egress.call("GET", f"{bench.up.base_url}/models", untrusted=True):
            pass


@pytest.mark.parametrize(
    ("lines", "line", "path"),
    [
        ("allow: [10.0.0.0/8, 10.0.0.0/33]", 3, "routeiq.egress.allow"),
        (
            "tenants:\n      red:\n        only:\n          - api.example.com\n          - http://x\n",
            7,
            "tenants.red.only",
        ),
    ],
)
async def test_a_bad_entry_is_a_start_error_with_its_line(lines: str, line: int, path: str, tmp_path: Any) -> None:
    file = tmp_path / "routeiq.yaml"
    file.write_text(
        f"routeiq:\n  egress:\n    {lines}\ngeneral_settings: {{master_key: sk-testkit-8d41f7c2a95e60b3}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        await preflight(load(file, {}))
    assert (caught.value.line, caught.value.file) == (line, str(file))
    assert path in str(caught.value)


def test_a_tenant_without_a_list_and_an_unknown_key_are_start_errors(tmp_path: Any) -> None:
    file = tmp_path / "routeiq.yaml"
    for written, what in (("red: {}", "only is missing"), ("red: {allow: [x]}", "unknown key")):
        file.write_text(
            "general_settings: {master_key: sk-testkit-8d41f7c2a95e60b3}\n"
            f"routeiq: {{egress: {{tenants: {{{written}}}}}}}\n"
        )
        with pytest.raises(ConfigError, match=what):
            load(file, {})
