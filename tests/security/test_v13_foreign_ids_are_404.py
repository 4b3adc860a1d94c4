"""V13: every route answers an id of another tenant exactly as one that does not exist, and nothing there changes.

The routes are those of the running gateway, the names of ids those of its requests; no body is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from routeiq.routes.table import Route
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import Share

from .tenants import MARK, Answer, Client, Tenants

NOBODY = "no-such-thing-0000"
NO_KEY = "0" * 64
ATTACKERS = ("olga", "tess", "uma", "robot")
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|sk-[\w.-]+|\d{4}-\d\d-\d\dT[\d:.]+Z?|[0-9a-f]{64}")


def foreign(made: Tenants) -> dict[str, tuple[str, str]]:
    """By the field that names it: an id of the tenant `rival`, and one of nothing."""
    red = made["rita-red"]
    return {
        "key": (red.id, NO_KEY),
        "keys": (red.id, NO_KEY),
        "token": (red.id, NO_KEY),
        "api_key": (red.id, NO_KEY),
        "key_alias": (f"{MARK}-rita-red", NOBODY),
        "key_aliases": (f"{MARK}-rita-red", NOBODY),
        "team_id": ("red", NOBODY),
        "team_ids": ("red", NOBODY),
        "user_id": ("rita", NOBODY),
        "user_ids": ("rita", NOBODY),
        "organization_id": ("rival", NOBODY),
        "organization_ids": ("rival", NOBODY),
        "organizations": ("rival", NOBODY),
        "model_id": ("red-model", NOBODY),
        "id": ("red-model", NOBODY),
        "scope_id": ("red", NOBODY),
        "principal": ("user:rita", f"user:{NOBODY}"),
    }


MAKES_WHAT_IS_NAMED = {
    ("POST /user/new", "user_id"),
    ("POST /team/new", "team_id"),
    ("POST /organization/new", "organization_id"),
    ("POST /key/generate", "key_alias"),
    ("POST /key/service-account/generate", "key_alias"),
    ("POST /user/new", "key_alias"),
    ("POST /key/update", "key_alias"),
    ("POST /key/regenerate", "key_alias"),
    ("POST /key/{key}/regenerate", "key_alias"),
}
"""Where a caller chooses the name of something new. A name that is taken has to be refused, whoever took it."""


async def attempt(client: Client, route: Route, fields: dict[str, Any]) -> Answer:
    """The route with these fields in its path, and the others in its query or its body."""
    inside = _PARAMETER.findall(route.path)
    path = _PARAMETER.sub(lambda match: str(fields.get(match[1], NOBODY)), route.path)
    rest = {name: value for name, value in fields.items() if name not in inside}
    try:
        return await _sent(client, route, path, rest)
    except aiohttp.ServerDisconnectedError:  # the connection was idle for too long while the machine was busy
        return await _sent(client, route, path, rest)


async def _sent(client: Client, route: Route, path: str, rest: dict[str, Any]) -> Answer:
    if route.method == "GET":
        query = {name: value if isinstance(value, str) else ",".join(value) for name, value in rest.items()}
        return await client.ask("GET", path, **query)
    return await client.ask(route.method, path, rest)


def shown(answer: Answer, *ids: str) -> str:
    """An answer without what differs each time, and without the id that was asked for."""
    text = answer.text
    for id in ids:
        text = text.replace(id, "ID")
    return f"{answer.status} {_CHANGING.sub('X', text)}"


def cases(
    gateway: TestGateway, ids: dict[str, tuple[str, str]]
) -> Iterator[tuple[Route, str, dict[str, Any], dict[str, Any]]]:
    """Route, field, and the fields with the foreign id and with that of nothing."""
    for route in gateway.runtime.table.routes:
        if route.access == "public" or route.access == "road" or not route.action:
            continue
        inside = _PARAMETER.findall(route.path)
        names = [name for name in inside if name in ids] or list(ids)
        for name in names:
            theirs, nothing = ids[name]
            many = name.endswith("s") and name not in inside
            yield route, name, {name: [theirs] if many else theirs}, {name: [nothing] if many else nothing}
        if not inside:  # beside an id of one's own, too
            for own, name in (
                ("key", "team_id"),
                ("key", "user_id"),
                ("team_id", "user_id"),
                ("team_id", "organization_id"),
            ):
                mine = {"key": "OWN-KEY", "team_id": "blue"}[own]
                yield route, name, {own: mine, name: ids[name][0]}, {own: mine, name: ids[name][1]}


@pytest.mark.timeout(3600)
async def test_an_id_of_another_tenant_is_an_id_of_nothing(both: Tenants, share: Share, whole: bool) -> None:
    row = {"model": "openai/x", "api_key": "sk-of-their-own-provider"}
    await both.master.good(
        "POST",
        "/model/new",
        {"model_name": "own", "litellm_params": row, "model_info": {"id": "red-model", "team_id": "red"}},
    )
    before = await picture(both)
    gateway, ids = both.master.gateway, foreign(both)
    tried = 0
    not_taken: set[tuple[str, str, str, int]] = set()
    """Fields that a route does not have, as the first attacker who gets so far finds out."""
    wrong = []
    for turn, who in enumerate(ATTACKERS):
        client = both[who]
        for number, (route, name, theirs, nothing) in enumerate(cases(gateway, ids)):
            if not share(number + turn * 3, 13):
                continue  # of the next attacker it is other cases
            if (f"{route.method} {route.path}", name) in MAKES_WHAT_IS_NAMED:
                continue
            case = (route.method, route.path, name, len(theirs))
            if case in not_taken:
                continue
            told = json.dumps([theirs, nothing]).replace("OWN-KEY", client.id)
            with_theirs, with_nothing = json.loads(told)
            first, second = await attempt(client, route, with_theirs), await attempt(client, route, with_nothing)
            if "there is no such field" in first.text and "there is no such field" in second.text:
                not_taken.add(case)
            tried += 1
            asked = [str(value[0] if isinstance(value, list) else value) for value in ids[name]]
            if shown(first, *asked) != shown(second, *asked) or MARK in first.text.replace(f"{MARK}-rita-red", ""):
                wrong.append(
                    (who, route.method, route.path, theirs, shown(first, *asked)[:160], shown(second, *asked)[:160])
                )
    assert not wrong, "\n".join(map(str, wrong))
    assert tried > (1500 if whole else 150)
    assert await picture(both) == before


async def picture(made: Tenants) -> list[Any]:
    """What the tenant `rival` looks like to the operator."""
    master = made.master
    seen = [
        await master.good("GET", "/team/info", team_id="red"),
        await master.good("GET", "/organization/info", organization_id="rival"),
        await master.good("GET", "/user/info", user_id="rita"),
        await master.good("GET", "/key/info", key=made["rita-red"].id),
        (await master.good("GET", "/key/list", team_id="red"))["total_count"],
    ]
    return [_CHANGING.sub("X", json.dumps(each, sort_keys=True)) for each in seen]
