"""Quotas that are made while the gateway runs bind at once, and each mistake in one is told by its field."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Govern
from .world import Governed

PATH = "/routeiq/v1/policies"
POLICY = {"scope": {"team": "A"}, "limit": 50, "unit": "usd", "window": "day", "zone": "UTC"}


async def ask(governed: Governed, method: str, path: str, key: str | None = None, **body: Any) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with governed.gateway.session.request(method, path, json=body or None, headers=headers) as response:
        return response.status, await response.json()


async def test_one_call_makes_it_another_changes_it_and_a_third_takes_it_away(govern: Govern) -> None:
    governed = await govern({**POLICY, "id": "written"})
    team = await governed.made("/team/new", team_alias="A")
    key = await governed.key(team_id=team["team_id"])
    status, made = await ask(governed, "POST", PATH, **{**POLICY, "id": "mine", "limit": 0})
    assert (status, made["id"], made["source"], made["version"]) == (200, "mine", "database", 1)
    assert (await governed.chat(key)).status == 422
    status, changed = await ask(governed, "PATCH", f"{PATH}/mine", limit=10, zone="Europe/Berlin")
    assert (status, changed["limit"], changed["zone"], changed["unit"]) == (200, 10.0, "Europe/Berlin", "usd")
    assert changed["version"] == 2
    assert (await governed.chat(key)).status == 200
    _, listed = await ask(governed, "GET", PATH)
    assert [(row["id"], row["source"]) for row in listed["data"]] == [
        ("written", "configuration"),
        ("mine", "database"),
    ]
    assert (await ask(governed, "GET", f"{PATH}/mine"))[1]["limit"] == 10.0
    assert await ask(governed, "DELETE", f"{PATH}/mine") == (200, {"deleted": "mine"})
    for method in ("GET", "PATCH", "DELETE"):
        assert (await ask(governed, method, f"{PATH}/mine", **({"limit": 1} if method == "PATCH" else {})))[0] == 404


async def test_a_change_of_what_it_counts_begins_a_new_count(govern: Govern) -> None:
    governed = await govern()
    counted = {"id": "n", "scope": {}, "limit": 1, "unit": "requests", "window": "day"}
    await governed.made(PATH, **counted)
    assert [(await governed.chat()).status for _ in range(2)] == [200, 429]
    assert (await ask(governed, "PATCH", f"{PATH}/n", unit="usd", limit=1))[0] == 200
    assert (await governed.chat()).status == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": -5}, "limit"),
        ({"limit": 1e300}, "limit"),
        ({"limit": "a lot"}, "limit"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"window": "3 fortnights"}, "window"),
        ({"unit": "bananas"}, "unit"),
        ({"scope": {"planet": "earth"}}, "scope.planet.[key]"),
        ({"surprise": 1}, "surprise"),
        ({"id": "x" * 65}, "id"),
    ],
)
async def test_a_mistake_is_told_by_its_field_and_nothing_is_made(
    govern: Govern, change: dict[str, Any], field: str
) -> None:
    governed = await govern()
    status, answer = await ask(governed, "POST", PATH, **{**POLICY, **change})
    assert (status, answer["error"]["param"]) == (400, field)
    assert (await ask(governed, "GET", PATH))[1]["data"] == []


async def test_names_are_taken_once_over_configuration_and_database(govern: Govern) -> None:
    governed = await govern({**POLICY, "id": "one"})
    await governed.made(PATH, **{**POLICY, "id": "two"})
    for name in ("one", "two"):
        status, answer = await ask(governed, "POST", PATH, **{**POLICY, "id": name})
        assert (status, answer["error"]["param"]) == (400, "id")


async def test_plain_keys_make_and_see_none(govern: Govern) -> None:
    governed = await govern()
    key = await governed.key()
    assert (await ask(governed, "POST", PATH, key, **POLICY))[0] == 403
    assert (await ask(governed, "GET", PATH, key))[0] == 403


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([{**POLICY, "zone": "Mars/Olympus"}], r"policies\[0\].*zone.*IANA"),
        ([POLICY, {**POLICY, "limit": 60}], r"policies\[1\].*another policy"),
        ([{**POLICY, "limit": -1}], r"policies\[0\].*limit"),
    ],
)
async def test_a_wrong_line_of_yaml_stops_the_start_and_names_its_place(
    govern: Govern, written: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        await govern(*written)


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"general_settings": {"password_policy_min_length": 12}}, "general_settings.password_policy_min_length"),
        ({"litellm_settings": {"priority_reservation": {"prod": 0.9}}}, "litellm_settings.priority_reservation"),
        ({"litellm_settings": {"budget_rollover": True}}, "litellm_settings.budget_rollover"),
    ],
)
async def test_a_protective_key_that_nobody_enforces_stops_the_start_unless_it_is_accepted(
    govern: Govern, sections: dict[str, Any], key: str
) -> None:
    with pytest.raises(Exception, match=key):
        await govern(**sections)
    governed = await govern(**sections, routeiq={"compat": {"accept_unenforced": [key]}})
    assert (await governed.chat()).status == 200
