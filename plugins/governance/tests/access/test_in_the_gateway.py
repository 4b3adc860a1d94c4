"""Access over HTTP: roles of one's own, bindings, who-am-I, narrowed keys, demotion, lists of models."""

from __future__ import annotations

from typing import Any

from .conftest import Open
from .over_http import Client, Tenants

CHAT = {"messages": [{"role": "user", "content": "Hello!"}]}


async def chat(client: Client, model: str) -> tuple[int, str | None]:
    """Status and type of error of a call."""
    status, body = await client.ask("POST", "/v1/chat/completions", {"model": model, **CHAT})
    return status, body["error"]["type"] if status != 200 else None


async def test_a_custom_role_is_made_bound_changed_and_taken_away(both: Tenants) -> None:
    olga, vic = both["olga"], both["vic"]
    assert await vic.status("POST", "/team/new", {"team_id": "navy", "organization_id": "acme"}) == 403
    role = {"name": "founder", "organization_id": "acme", "actions": ["team:create", "team:read"]}
    made = await olga.good("POST", "/routeiq/v1/roles", role)
    binding = {"principal": "user:vic", "role": "founder", "scope": "organization", "scope_id": "acme"}
    bound = await olga.good("POST", "/routeiq/v1/bindings", binding)
    assert bound["role"] == made["id"]
    await vic.good("POST", "/team/new", {"team_id": "navy", "organization_id": "acme"})
    assert await vic.status("POST", "/team/delete", {"team_ids": ["navy"]}) == 403
    await olga.good("PATCH", f"/routeiq/v1/roles/{made['id']}", {"actions": ["team:read"]})
    assert await vic.status("POST", "/team/new", {"team_id": "teal", "organization_id": "acme"}) == 403
    await olga.good("DELETE", f"/routeiq/v1/bindings/{bound['id']}")
    listed = await olga.good("GET", "/routeiq/v1/bindings", principal="user:vic")
    assert listed["data"] == []
    await olga.good("DELETE", f"/routeiq/v1/roles/{made['id']}")
    assert await olga.status("GET", f"/routeiq/v1/roles/{made['id']}") == 404


ROLES: list[tuple[str, dict[str, Any], int]] = [
    ("olga", {"name": "all", "organization_id": "acme", "actions": ["*:*"]}, 403),
    ("olga", {"name": "limits", "organization_id": "acme", "actions": ["organization:limit"]}, 403),
    ("olga", {"name": "reader", "organization_id": "acme", "actions": ["*:read"]}, 403),
    ("olga", {"name": "mine", "actions": ["team:read"]}, 403),
    ("olga", {"name": "theirs", "organization_id": "rival", "actions": ["team:read"]}, 404),
    ("olga", {"name": "owner", "organization_id": "acme", "actions": ["team:read"]}, 400),
    ("olga", {"name": "proxy_admin", "organization_id": "acme", "actions": ["team:read"]}, 400),
    ("olga", {"name": "Odd Name", "organization_id": "acme", "actions": ["team:read"]}, 400),
    ("olga", {"name": "odd", "organization_id": "acme", "actions": ["team"]}, 400),
    ("olga", {"name": "odd", "organization_id": "acme", "actions": []}, 400),
    ("olga", {"name": "odd", "organization_id": "acme", "actions": ["team:read"], "more": 1}, 400),
    ("tess", {"name": "odd", "organization_id": "acme", "actions": ["team:read"]}, 403),
    ("uma", {"name": "odd", "organization_id": "acme", "actions": ["team:read"]}, 403),
    ("omar", {"name": "all", "organization_id": "acme", "actions": ["*:*"]}, 201),
    ("ann", {"name": "all", "actions": ["*:*"]}, 201),
]


async def test_nobody_makes_a_role_that_may_more(both: Tenants) -> None:
    found = [(who, role, await both[who].status("POST", "/routeiq/v1/roles", role)) for who, role, _ in ROLES]
    assert found == ROLES


BINDINGS: list[tuple[str, tuple[str, str, str, str | None], int]] = [
    ("olga", ("user:vic", "org_admin", "organization", "acme"), 201),
    ("olga", ("user:vic", "owner", "organization", "acme"), 403),
    ("olga", ("user:olga", "auditor", "global", None), 403),
    ("olga", ("user:vic", "team_admin", "team", "red"), 404),
    ("olga", ("user:rita", "team_admin", "team", "blue"), 404),
    ("olga", ("user:nobody", "team_admin", "team", "blue"), 404),
    ("olga", ("user:vic", "proxy_admin", "organization", "acme"), 403),
    ("olga", ("user:vic", "internal_user", "organization", "acme"), 400),
    ("olga", ("user:vic", "nonsense", "organization", "acme"), 400),
    ("olga", ("vic", "team_admin", "team", "blue"), 400),
    ("olga", ("user:vic", "team_admin", "team", None), 400),
    ("olga", ("user:vic", "team_admin", "galaxy", "x"), 400),
    ("uma", ("user:uma", "team_admin", "team", "blue"), 403),
    ("tess", ("user:uma", "team_admin", "team", "blue"), 201),
    ("tess", ("user:uma", "org_admin", "organization", "acme"), 403),
    ("omar", ("user:vic", "owner", "organization", "acme"), 201),
    ("omar", ("user:vic", "owner", "global", None), 403),
]


async def test_nobody_binds_what_they_do_not_have(both: Tenants) -> None:
    found = []
    for who, binding, _ in BINDINGS:
        principal, role, scope, scope_id = binding
        body = {"principal": principal, "role": role, "scope": scope, **({"scope_id": scope_id} if scope_id else {})}
        found.append((who, binding, await both[who].status("POST", "/routeiq/v1/bindings", body)))
    assert found == BINDINGS


async def test_a_binding_is_made_once(both: Tenants) -> None:
    body = {"principal": "user:vic", "role": "viewer", "scope": "team", "scope_id": "blue"}
    first = await both["olga"].ask("POST", "/routeiq/v1/bindings", body)
    second = await both["olga"].ask("POST", "/routeiq/v1/bindings", body)
    assert (first[0], second[0]) == (201, 200)
    assert first[1] == second[1]


async def test_tenants_see_their_own_roles_and_bindings(both: Tenants) -> None:
    role = {"name": "secret", "organization_id": "rival", "actions": ["team:read"]}
    made = await both["rolf"].good("POST", "/routeiq/v1/roles", role)
    names = [row["name"] for row in (await both["olga"].good("GET", "/routeiq/v1/roles"))["data"]]
    assert "secret" not in names
    assert "org_admin" in names
    for method in ("GET", "DELETE"):
        assert await both["olga"].status(method, f"/routeiq/v1/roles/{made['id']}") == 404
    assert await both["olga"].status("PATCH", f"/routeiq/v1/roles/{made['id']}", {"actions": ["*:*"]}) == 404
    bound = {row["principal"] for row in (await both["rolf"].good("GET", "/routeiq/v1/bindings"))["data"]}
    assert bound.isdisjoint({"user:bill", "user:aude", "user:omar"})


async def test_everybody_learns_who_they_are(both: Tenants) -> None:
    told = await both["tess"].good("GET", "/routeiq/v1/me")
    assert (told["kind"], told["user"], told["role"]) == ("key", "tess", "internal_user")
    roles = {(grant["role"], grant["scope"], grant["id"]) for grant in told["grants"]}
    assert {("team_admin", "team", "blue"), ("developer", "user", "tess")} <= roles
    told = await both["bare"].good("GET", "/routeiq/v1/me")
    assert [grant["role"] for grant in told["grants"]] == ["caller"]
    told = await both.master.good("GET", "/routeiq/v1/me")
    assert told["grants"][0]["actions"] == ["*:*"]


async def test_a_demotion_acts_on_the_next_request_with_every_key(both: Tenants) -> None:
    body = {"team_id": "blue", "team_alias": "Azure"}
    assert await both["ann"].status("POST", "/organization/new", {"organization_alias": "x"}) == 200
    await both.master.good("POST", "/user/update", {"user_id": "ann", "user_role": "internal_user"})
    assert await both["ann"].status("POST", "/organization/new", {"organization_alias": "y"}) == 403
    for who in ("tess", "tess-blue"):
        assert await both[who].status("POST", "/team/update", body) == 200
    await both.master.good("POST", "/team/member_update", {"team_id": "blue", "user_id": "tess", "role": "user"})
    for who in ("tess", "tess-blue"):
        assert await both[who].status("POST", "/team/update", body) == 403


async def test_a_key_keeps_to_its_routes_whatever_its_owner_may(both: Tenants) -> None:
    made = await both["ann"].good("POST", "/key/generate", {"user_id": "ann", "key_type": "llm_api"})
    narrow = Client(both.master.gateway, made["key"])
    assert (await chat(narrow, "fast"))[0] == 200
    assert await narrow.status("POST", "/key/generate", {"user_id": "ann"}) == 403
    assert await narrow.status("POST", "/organization/new", {"organization_alias": "x"}) == 403
    made = await both["ann"].good("POST", "/key/generate", {"user_id": "ann", "key_type": "management"})
    manages = Client(both.master.gateway, made["key"])
    assert (await chat(manages, "fast"))[0] == 403
    assert await manages.status("POST", "/key/generate", {"user_id": "ann"}) == 403, "it would be narrowed less"
    same = {"user_id": "ann", "key_type": "management"}
    assert await manages.status("POST", "/key/generate", same) == 200


async def test_lists_of_models_hold_over_http(both: Tenants) -> None:
    for models, asked, wanted in (
        (["fast"], "fast", (200, None)),
        (["fast"], "smart", (403, "key_model_access_denied")),
        (["early"], "beta", (200, None)),
        (["early"], "fast", (403, "key_model_access_denied")),
        ([], "smart", (200, None)),
    ):
        made = await both.master.good("POST", "/key/generate", {"models": models})
        client = Client(both.master.gateway, made["key"])
        assert await chat(client, asked) == wanted, models
    made = await both.master.good("POST", "/key/generate", {"models": ["fast", "early"]})
    listed = await Client(both.master.gateway, made["key"]).good("GET", "/v1/models")
    assert {row["id"] for row in listed["data"]} == {"fast", "beta"}


async def test_plain_keys_call_models_and_read_about_themselves(both: Tenants) -> None:
    bare = both["bare"]
    assert (await chat(bare, "fast"))[0] == 200
    assert (await bare.good("GET", "/key/info"))["info"]["key_alias"] == "bare"
    for method, path, body in (
        ("POST", "/key/generate", {}),
        ("GET", "/user/list", None),
        ("POST", "/team/new", {}),
        ("GET", "/routeiq/v1/roles", None),
        ("POST", "/routeiq/v1/reload", None),
    ):
        assert await bare.status(method, path, body) == 403, path


async def test_the_old_profile_says_401(open_gateway: Open) -> None:
    profile = {"plugins": {"governance": {}}, "compat": {"litellm_profile": "1.80"}}
    running = await open_gateway(routeiq=profile)
    made = await Client(running, running.key).good("POST", "/key/generate", {"models": ["fast"]})
    client = Client(running, made["key"])
    assert await chat(client, "smart") == (401, "key_model_access_denied")
    status, body = await client.ask("POST", "/key/generate", {})
    assert (status, body["error"]["type"]) == (401, "auth_error")


async def test_the_operators_rules_hold_over_http(open_gateway: Open) -> None:
    general = {"admin_only_routes": ["/key/info"], "enforced_params": ["user"], "allowed_ips": ["127.0.0.1"]}
    running = await open_gateway(general_settings=general)
    master = Client(running, running.key)
    made = await master.good("POST", "/key/generate", {})
    client = Client(running, made["key"])
    assert await client.status("GET", "/key/info") == 403
    status, body = await client.ask("POST", "/v1/chat/completions", {"model": "fast", **CHAT})
    assert (status, body["error"]["param"]) == (400, "user")
    assert await client.status("POST", "/v1/chat/completions", {"model": "fast", "user": "u", **CHAT}) == 200


async def test_other_addresses_are_refused(open_gateway: Open) -> None:
    running = await open_gateway(general_settings={"allowed_ips": ["192.0.2.1"]})
    assert (await Client(running, running.key).ask("GET", "/v1/models"))[0] == 403
