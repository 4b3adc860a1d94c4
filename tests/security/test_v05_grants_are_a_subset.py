"""V5: nobody gives a key more than it has itself: routes, models, money, permissions, tenants, people."""

from __future__ import annotations

from typing import Any

import pytest

from .tenants import Client, Tenants

BEYOND: dict[str, dict[str, Any]] = {
    "all routes": {"allowed_routes": ["/*"]},
    "a wildcard": {"allowed_routes": ["*"]},
    "management routes": {"allowed_routes": ["management_routes"]},
    "the operator's routes": {"allowed_routes": ["admin_only_routes"]},
    "a route that it lacks": {"allowed_routes": ["/key/generate", "/routeiq/v1/reload"]},
    "no list of routes at all": {},
    "a list of none": {"allowed_routes": []},
    "null routes": {"allowed_routes": None},
    "routes in another case": {"allowed_routes": ["/KEY/generate", "/Team/new"]},
    "routes with dots": {"allowed_routes": ["/key/../team/new"]},
    "a route as a pattern": {"allowed_routes": ["/key/.*"]},
    "a kind of key": {"key_type": "management"},
    "the default kind of key": {"key_type": "default"},
}
MORE: dict[str, dict[str, Any]] = {
    "all models": {"models": ["*"]},
    "all the proxy's models": {"models": ["all-proxy-models"]},
    "another model": {"models": ["fast", "smart"]},
    "no list of models": {},
    "an empty list of models": {"models": []},
    "more money": {"models": ["fast"], "max_budget": 6},
    "no budget": {"models": ["fast"], "max_budget": None},
    "a shorter window": {"models": ["fast"], "max_budget": 5, "budget_duration": "1s"},
    "more requests": {"models": ["fast"], "max_budget": 5, "rpm_limit": 101},
    "permissions": {"models": ["fast"], "max_budget": 5, "permissions": {"get_spend_routes": True}},
    "pass-through routes": {"models": ["fast"], "max_budget": 5, "allowed_passthrough_routes": ["/x"]},
    "spend below nothing": {"models": ["fast"], "max_budget": 5, "spend": -5},
    "an alias of a model": {"models": ["fast"], "max_budget": 5, "aliases": {"fast": "smart"}},
    "another tenant's team": {"models": ["fast"], "max_budget": 5, "team_id": "red"},
    "another tenant's user": {"models": ["fast"], "max_budget": 5, "user_id": "rita"},
    "another tenant": {"models": ["fast"], "max_budget": 5, "organization_id": "rival"},
    "the operator": {"models": ["fast"], "max_budget": 5, "user_id": "default_user_id"},
    "a text of its own that is the master key": {"models": ["fast"], "max_budget": 5, "key": "MASTER"},
    "the key of somebody else": {"models": ["fast"], "max_budget": 5, "key": "RITA"},
}
TIGHT = {"models": ["fast"], "max_budget": 5, "rpm_limit": 100}


async def narrow_key(both: Tenants, user: str, **fields: Any) -> Client:
    return await both.master.key_with(user_id=user, **fields)


@pytest.mark.parametrize("user", ["olga", "uma"])
async def test_routes_of_a_key_never_grow(both: Tenants, user: str) -> None:
    narrow = await narrow_key(
        both, user, allowed_routes=["/key/generate", "/key/update", "/key/regenerate", "/v1/models"]
    )
    wrong = []
    for name, fields in BEYOND.items():
        for method, path, body in (
            ("POST", "/key/generate", fields),
            ("POST", "/key/update", {"key": narrow.id, **fields}),
            ("POST", "/key/regenerate", {"key": narrow.id, **fields}),
        ):
            if path != "/key/generate" and not fields:
                continue  # nothing is said about routes: they stay
            answer = await narrow.ask(method, path, body)
            if answer.status < 400:
                made = Client(narrow.gateway, answer.json.get("key", narrow.key))
                lifted = [
                    way
                    for way in (("GET", "/key/list"), ("POST", "/v1/chat/completions"), ("GET", "/routeiq/v1/status"))
                    if (await made.ask(*way, None if way[0] == "GET" else {"model": "fast", "messages": []})).status
                    not in (401, 403)
                ]
                if lifted:
                    wrong.append((name, path, lifted))
            assert answer.status < 500, (name, answer)
    assert not wrong, wrong


@pytest.mark.parametrize("user", ["olga", "uma"])
async def test_what_a_key_may_have_never_grows(both: Tenants, user: str) -> None:
    narrow = await narrow_key(both, user, **TIGHT)
    texts = {"MASTER": narrow.gateway.key, "RITA": both["rita"].key}
    wrong = []
    for name, fields in MORE.items():
        body = {field: texts.get(value, value) if isinstance(value, str) else value for field, value in fields.items()}
        answer = await narrow.ask("POST", "/key/generate", body)
        assert answer.status < 500, (name, answer)
        if answer.status >= 400:
            continue
        info = (await both.master.good("GET", "/key/info", key=answer.json["token"]))["info"]
        smart = await Client(narrow.gateway, answer.json["key"]).chat(model="fast" if "aliases" in fields else "smart")
        sent = "smart" if "aliases" in fields else None
        wrong.append((name, answer.status, info["models"], info["max_budget"], smart.status, sent))
    assert not wrong, wrong


async def test_keys_do_not_hand_each_other_up(both: Tenants) -> None:
    """A key may make a key; that one may not make one that is wider than the first."""
    first = await narrow_key(both, "olga", **TIGHT)
    made = await first.good("POST", "/key/generate", {**TIGHT, "user_id": "olga"})
    second = Client(first.gateway, made["key"], made["token"])
    for fields in MORE.values():
        if set(fields) <= {"models", "max_budget", "rpm_limit", "budget_duration"}:
            assert (await second.ask("POST", "/key/generate", fields)).status in (400, 403), fields
    for body in (
        {"key": first.id, "max_budget": 500},
        {"key": second.id, "models": []},
        {"key": second.id, "max_budget": None},
    ):
        assert (await second.ask("POST", "/key/update", body)).status in (400, 403), body
    assert (await second.chat(model="smart")).status in (401, 403)
