"""Every route that takes an id, asked with an id of another tenant: it does not exist, and nothing there changes."""

from __future__ import annotations

from typing import Any

from routeiq_testkit import ScriptedUpstream

from .conftest import Open
from .over_http import Client, Tenants, tenants

KEY = "{rita-red}"
MODEL = {"model_name": "own", "litellm_params": {"model": "openai/x", "api_key": "sk-of-their-own"}}
RED: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/key/info", {"key": KEY}),
    ("POST", "/key/update", {"key": KEY, "key_alias": "mine"}),
    ("POST", "/key/update", {"key": "{uma-blue}", "team_id": "red"}),
    ("POST", "/key/update", {"key": "{uma-blue}", "user_id": "rita"}),
    ("POST", "/key/block", {"key": KEY}),
    ("POST", "/key/unblock", {"key": KEY}),
    ("POST", "/key/regenerate", {"key": KEY}),
    ("POST", "/key/{rita-red}/regenerate", {}),
    ("POST", "/key/{robot-red}/regenerate", {}),
    ("POST", "/key/{rita-red}/reset_spend", {"reset_to": 0}),
    ("POST", "/key/generate", {"team_id": "red"}),
    ("POST", "/key/generate", {"user_id": "rita"}),
    ("POST", "/key/generate", {"team_id": "red", "user_id": "rita"}),
    ("POST", "/key/generate", {"organization_id": "rival"}),
    ("POST", "/key/service-account/generate", {"team_id": "red"}),
    ("GET", "/team/info", {"team_id": "red"}),
    ("GET", "/team/permissions_list", {"team_id": "red"}),
    ("GET", "/team/red/callback", {}),
    ("GET", "/team/red/members/me", {}),
    ("POST", "/team/update", {"team_id": "red", "team_alias": "mine"}),
    ("POST", "/team/update", {"team_id": "blue", "organization_id": "rival"}),
    ("POST", "/team/new", {"organization_id": "rival"}),
    ("POST", "/team/delete", {"team_ids": ["red"]}),
    ("POST", "/team/block", {"team_id": "red"}),
    ("POST", "/team/unblock", {"team_id": "red"}),
    ("POST", "/team/member_add", {"team_id": "red", "member": {"user_id": "uma", "role": "user"}}),
    ("POST", "/team/bulk_member_add", {"team_id": "red", "members": [{"user_id": "uma", "role": "user"}]}),
    ("POST", "/team/member_update", {"team_id": "red", "user_id": "rita", "role": "admin"}),
    ("POST", "/team/member_delete", {"team_id": "red", "user_id": "rita"}),
    ("POST", "/team/model/add", {"team_id": "red", "models": ["fast"]}),
    ("POST", "/team/model/delete", {"team_id": "red", "models": ["fast"]}),
    ("POST", "/team/permissions_update", {"team_id": "red", "team_member_permissions": []}),
    ("POST", "/team/permissions_bulk_update", {"team_ids": ["red"], "permissions": []}),
    ("POST", "/team/red/callback", {"callback_name": "langfuse", "callback_vars": {}}),
    ("DELETE", "/team/red/callback/langfuse", {}),
    ("POST", "/team/red/disable_logging", {}),
    ("GET", "/user/info", {"user_id": "rita"}),
    ("GET", "/v2/user/info", {"user_id": "rita"}),
    ("POST", "/user/update", {"user_id": "rita", "user_alias": "x"}),
    ("POST", "/user/delete", {"user_ids": ["rita"]}),
    ("POST", "/user/new", {"organizations": ["rival"]}),
    ("GET", "/organization/info", {"organization_id": "rival"}),
    ("POST", "/organization/info", {"organizations": ["rival"]}),
    ("PATCH", "/organization/update", {"organization_id": "rival", "organization_alias": "x"}),
    ("PATCH", "/v2/organization/rival", {"organization_alias": "x"}),
    ("DELETE", "/organization/delete", {"organization_ids": ["rival"]}),
    (
        "POST",
        "/organization/member_add",
        {"organization_id": "rival", "member": {"user_id": "uma", "role": "org_admin"}},
    ),
    ("PATCH", "/organization/member_update", {"organization_id": "rival", "user_id": "rita", "role": "org_admin"}),
    ("DELETE", "/organization/member_delete", {"organization_id": "rival", "user_id": "rita"}),
    ("GET", "/routeiq/v1/roles/{role}", {}),
    ("PATCH", "/routeiq/v1/roles/{role}", {"actions": ["team:read"]}),
    ("DELETE", "/routeiq/v1/roles/{role}", {}),
    ("POST", "/routeiq/v1/roles", {"name": "x", "organization_id": "rival", "actions": ["team:read"]}),
    ("DELETE", "/routeiq/v1/bindings/{binding}", {}),
    ("POST", "/routeiq/v1/bindings", {"principal": "user:uma", "role": "viewer", "scope": "team", "scope_id": "red"}),
    ("POST", "/routeiq/v1/bindings", {"principal": "user:rita", "role": "viewer", "scope": "team", "scope_id": "blue"}),
    ("GET", "/routeiq/v1/policies/{policy}", {}),
    ("PATCH", "/routeiq/v1/policies/{policy}", {"limit": 1}),
    ("DELETE", "/routeiq/v1/policies/{policy}", {}),
    ("POST", "/model/new", {**MODEL, "model_info": {"team_id": "red"}}),
    ("POST", "/model/update", {"model_info": {"id": "red-model"}, "model_name": "x"}),
    ("PATCH", "/model/red-model/update", {"model_name": "x"}),
    ("POST", "/model/delete", {"id": "red-model"}),
    ("POST", "/model/block", {"model_id": "red-model"}),
    ("POST", "/model/unblock", {"model_id": "red-model"}),
    ("POST", "/routeiq/v1/policies", {"id": "p", "scope": {"team": "red"}, "limit": 1, "unit": "usd", "window": "day"}),
]
SEVERAL: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/key/delete", {"keys": [KEY]}),
    ("POST", "/key/delete", {"key_aliases": ["rita-red"]}),
    ("POST", "/v2/key/info", {"keys": [KEY]}),
    ("POST", "/key/bulk_update", {"keys": [{"key": KEY, "key_alias": "mine"}]}),
    ("POST", "/user/bulk_update", {"users": [{"user_id": "rita", "user_alias": "x"}]}),
]
"""Routes that answer for each of several ids: what is not there is left out or told one by one."""
NO_IDS = frozenset(
    {
        *("GET /key/list", "GET /key/aliases", "POST /key/health"),
        *("GET /team/list", "GET /v2/team/list", "GET /team/available"),
        *("GET /user/list", "GET /user/available_roles"),
        *("GET /organization/list", "POST /organization/new"),
        *("GET /routeiq/v1/roles", "GET /routeiq/v1/bindings", "GET /routeiq/v1/policies"),
        *("GET /models", "GET /models/{model:path}", "GET /v1/models", "GET /v1/models/{model:path}"),
        *("GET /model/info", "GET /v1/model/info", "GET /v2/model/info", "GET /model_group/info"),
    }
)
TENANTS = frozenset({"key", "team", "user", "organization", "role", "binding", "policy", "model"})
NO_TENANT = frozenset({"budget", "customer", "tag", "credential", "access_group"})


async def filled(made: Tenants) -> dict[str, str]:
    """Ids of the tenant `rival` by the names that stand for them above."""
    role = {"name": "guests", "organization_id": "rival", "actions": ["team:read"]}
    bind = {"principal": "user:rita", "role": "team_admin", "scope": "team", "scope_id": "red"}
    await made.master.good("POST", "/model/new", {**MODEL, "model_info": {"id": "red-model", "team_id": "red"}})
    policy = {"id": "red-day", "scope": {"team": "red"}, "limit": 50, "unit": "usd", "window": "day"}
    return {
        "role": (await made["rolf"].good("POST", "/routeiq/v1/roles", role))["id"],
        "binding": (await made["rolf"].good("POST", "/routeiq/v1/bindings", bind))["id"],
        "policy": (await made.master.good("POST", "/routeiq/v1/policies", policy))["id"],
        **{name: client.id for name, client in made.keys.items()},
    }


def put(value: Any, ids: dict[str, str]) -> Any:
    """`value` with the ids in it."""
    if isinstance(value, str):
        for name, id in ids.items():
            value = value.replace("{" + name + "}", id)
        return value
    if isinstance(value, dict):
        return {name: put(inner, ids) for name, inner in value.items()}
    return [put(inner, ids) for inner in value] if isinstance(value, list) else value


async def ask(client: Client, method: str, path: str, fields: Any) -> tuple[int, Any]:
    """One request; a GET puts its fields into the query."""
    return await (client.ask(method, path, **fields) if method == "GET" else client.ask(method, path, fields))


async def picture(made: Tenants) -> Any:
    """What the tenant `rival` looks like to itself."""
    rolf = made["rolf"]
    return [
        await rolf.good("GET", "/team/info", team_id="red"),
        await rolf.good("GET", "/organization/info", organization_id="rival"),
        sorted((await rolf.good("GET", "/user/list"))["users"], key=lambda user: str(user["user_id"])),
        (await rolf.good("GET", "/routeiq/v1/roles"))["data"],
        (await rolf.good("GET", "/routeiq/v1/bindings"))["data"],
        await made.master.good("GET", "/routeiq/v1/policies"),
        *[
            (await made.master.good("GET", "/key/info", key=made[name].id))["info"]
            for name in ("rita-red", "robot-red")
        ],
    ]


async def test_what_lies_in_another_tenant_does_not_exist(both: Tenants) -> None:
    ids = await filled(both)
    before = await picture(both)
    wrong = []
    for who, statuses in (
        ("olga", {404}),
        ("omar", {404}),
        ("bill", {403, 404}),
        ("aude", {403, 404}),
        ("tess", {403, 404}),
        ("uma", {403, 404}),
        ("tess-blue", {403, 404}),
        ("robot", {403, 404}),
        ("bare", {403, 404}),
    ):
        for method, path, fields in RED:
            status, body = await ask(both[who], method, put(path, ids), put(fields, ids))
            if status not in statuses and (who, path) != ("olga", "/organization/delete"):  # the gate tells her 403
                wrong.append((who, method, path, fields, status, body))
    assert wrong == [], "\n".join(str(each) for each in wrong)
    for who in ("olga", "omar", "tess"):
        for method, path, fields in SEVERAL:
            status, body = await ask(both[who], method, path, put(fields, ids))
            assert status in (200, 403, 404), (who, path, status)
            assert "rita-red" not in str(body)
            assert "rival" not in str(body)
    assert await picture(both) == before


async def test_another_teams_model_is_not_shown(both: Tenants) -> None:
    await filled(both)
    for path in ("/model/info", "/v2/model/info", "/model_group/info", "/v1/models"):
        for who in ("olga", "omar", "aude", "tess", "uma-blue", "robot", "bare"):
            assert "red-model" not in str(await both[who].good("GET", path)), (who, path)
            assert "own" not in [
                row.get("id", row.get("model_name")) for row in (await both[who].good("GET", path))["data"]
            ]


async def test_what_lies_in_no_tenant_is_for_those_above_all(both: Tenants) -> None:
    """Also who owns an organization gets nothing of what all organizations share."""
    wrong = []
    for route in both.master.gateway.runtime.table.routes:
        if route.action.partition(":")[0] not in NO_TENANT or route.action == "access_group:list":
            continue
        path = route.path
        while "{" in path:
            path = path[: path.index("{")] + "x" + path[path.index("}") + 1 :]
        for who in ("omar", "olga", "bill", "aude", "tess", "uma", "bare"):
            status, body = await both[who].ask(route.method, path, None if route.method == "GET" else {})
            if status not in (400, 401, 403, 404):
                wrong.append((who, route.method, route.path, status, body))
    assert wrong == [], "\n".join(str(each) for each in wrong)


async def test_every_route_that_takes_an_id_is_in_the_table(open_gateway: Open) -> None:
    running = await open_gateway()
    table = running.runtime.table
    asked = set()
    for method, path, _ in (*RED, *SEVERAL):
        found = table.match(path)
        assert found is not None, path
        route = found[0].get(method)
        assert route is not None, (method, path)
        asked.add(f"{route.method} {route.path}")
    declared = {f"{route.method} {route.path}" for route in table.routes if route.action.partition(":")[0] in TENANTS}
    assert declared - asked - NO_IDS == set(), "put them into the table, or among those that take no id"
    assert declared >= NO_IDS


async def test_spend_of_another_tenant_is_not_seen(open_gateway: Open, scripted_upstream: ScriptedUpstream) -> None:
    made = await tenants(await open_gateway())
    chat = {"model": "fast", "messages": [{"role": "user", "content": "Hello!"}]}
    await made["robot-red"].good("POST", "/v1/chat/completions", chat)
    assert await made["rolf"].good("GET", "/spend/logs")
    for who in ("olga", "omar", "aude", "bill", "tess", "uma"):
        for path, query in (
            ("/spend/logs", {}),
            ("/spend/logs", {"team_id": "red"}),
            ("/spend/logs", {"api_key": made["robot-red"].id}),
            ("/spend/keys", {}),
            ("/global/spend/teams", {"organization_id": "rival"}),
            ("/global/spend/report", {"group_by": "team"}),
        ):
            assert await made[who].good("GET", path, **query) == [], (who, path)
