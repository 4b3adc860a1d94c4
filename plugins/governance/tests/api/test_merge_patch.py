"""A field that is absent stays, `null` clears it, and the end of a budget's window moves only with its duration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .world import Client

Read = Callable[[Client], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Resource:
    """How one kind of entity is made, changed and read. `bounds` finds its limits in what is read."""

    name: str
    make: str
    change: str
    named: dict[str, Any]
    read: Read
    bounds: str | None = None
    method: str = "POST"
    metadata: bool = True


async def _team(client: Client) -> dict[str, Any]:
    return dict((await client.get("/team/info", team_id="it"))["team_info"])


async def _user(client: Client) -> dict[str, Any]:
    return dict((await client.get("/user/info", user_id="it"))["user_info"])


async def _organization(client: Client) -> dict[str, Any]:
    return dict(await client.get("/organization/info", organization_id="it"))


async def _customer(client: Client) -> dict[str, Any]:
    return dict(await client.get("/customer/info", end_user_id="it"))


async def _budget(client: Client) -> dict[str, Any]:
    return dict((await client.post("/budget/info", budgets=["it"]))[0])


async def _tag(client: Client) -> dict[str, Any]:
    return dict((await client.post("/tag/info", names=["it"]))["it"])


TABLE = "litellm_budget_table"
ORGANIZATION = {"organization_id": "it", "organization_alias": "It"}
RESOURCES = [
    Resource("team", "/team/new", "/team/update", {"team_id": "it"}, _team),
    Resource("user", "/user/new", "/user/update", {"user_id": "it"}, _user),
    Resource("organization", "/organization/new", "/organization/update", ORGANIZATION, _organization, TABLE, "PATCH"),
    Resource("customer", "/customer/new", "/customer/update", {"user_id": "it"}, _customer, TABLE, metadata=False),
    Resource("budget", "/budget/new", "/budget/update", {"budget_id": "it"}, _budget, metadata=False),
    Resource("tag", "/tag/new", "/tag/update", {"name": "it"}, _tag, TABLE, metadata=False),
]
each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)


async def _change(master: Client, resource: Resource, **fields: Any) -> None:
    answer = await master.ask(resource.method, resource.change, {**resource.named, **fields})
    assert answer.status == 200, answer


async def _bounds(master: Client, resource: Resource) -> dict[str, Any]:
    found = await resource.read(master)
    return found if resource.bounds is None else dict(found[resource.bounds])


@each
async def test_an_absent_field_stays_and_null_clears(master: Client, resource: Resource) -> None:
    await master.post(resource.make, **resource.named, max_budget=10, rpm_limit=5, tpm_limit=7, soft_budget=None)
    await _change(master, resource, rpm_limit=6)
    bounds = await _bounds(master, resource)
    assert (bounds["max_budget"], bounds["rpm_limit"], bounds["tpm_limit"]) == (10.0, 6, 7)
    await _change(master, resource, max_budget=None, tpm_limit=None)
    bounds = await _bounds(master, resource)
    assert (bounds["max_budget"], bounds["rpm_limit"], bounds["tpm_limit"]) == (None, 6, None)


@each
async def test_the_end_of_the_window_moves_with_its_duration_alone(master: Client, resource: Resource) -> None:
    await master.post(resource.make, **resource.named, max_budget=10, budget_duration="30d")
    first = (await _bounds(master, resource))["budget_reset_at"]
    assert first
    await _change(master, resource, max_budget=20)
    await _change(master, resource, rpm_limit=3)
    assert (await _bounds(master, resource))["budget_reset_at"] == first
    await _change(master, resource, budget_duration="1d")
    assert (await _bounds(master, resource))["budget_reset_at"] < first
    await _change(master, resource, budget_duration=None)
    bounds = await _bounds(master, resource)
    assert (bounds["budget_duration"], bounds["budget_reset_at"], bounds["max_budget"]) == (None, None, 20.0)


@pytest.mark.parametrize("resource", [r for r in RESOURCES if r.metadata], ids=lambda resource: resource.name)
async def test_metadata_is_replaced_and_an_empty_object_empties_it(master: Client, resource: Resource) -> None:
    await master.post(resource.make, **resource.named, metadata={"a": 1, "b": {"c": [2]}})
    await _change(master, resource, rpm_limit=3)
    assert (await resource.read(master))["metadata"] == {"a": 1, "b": {"c": [2]}}
    await _change(master, resource, metadata={"d": 4})
    assert (await resource.read(master))["metadata"] == {"d": 4}
    await _change(master, resource, metadata={})
    assert (await resource.read(master))["metadata"] == {}


@pytest.mark.parametrize("resource", RESOURCES[:3], ids=lambda resource: resource.name)
async def test_limits_by_model_are_kept_and_cleared(master: Client, resource: Resource) -> None:
    budgets = {"fast": {"max_budget": 1.25, "budget_duration": "1d"}}
    await master.post(resource.make, **resource.named, model_max_budget=budgets, model_rpm_limit={"fast": 3})
    found = await _bounds(master, resource)
    assert found["model_max_budget"] == budgets
    assert (await resource.read(master))["metadata"]["model_rpm_limit"] == {"fast": 3}
    await _change(master, resource, model_max_budget={}, model_rpm_limit=None)
    assert (await _bounds(master, resource))["model_max_budget"] == {}
    assert "model_rpm_limit" not in (await resource.read(master))["metadata"]
