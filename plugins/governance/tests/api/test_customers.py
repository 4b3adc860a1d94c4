"""Customers (end users) over HTTP, under both of their names."""

from __future__ import annotations

import pytest

from .world import Client


@pytest.mark.parametrize("prefix", ["/customer", "/end_user"])
async def test_the_life_of_a_customer(master: Client, prefix: str) -> None:
    made = await master.post(
        f"{prefix}/new",
        user_id="c1",
        alias="First",
        max_budget=2,
        budget_duration="1d",
        allowed_model_region="eu",
        default_model="fast",
    )
    assert (made["user_id"], made["alias"], made["allowed_model_region"]) == ("c1", "First", "eu")
    assert (made["default_model"], made["blocked"], made["spend"]) == ("fast", False, 0.0)
    assert made["litellm_budget_table"]["max_budget"] == 2.0
    assert made["litellm_budget_table"]["budget_reset_at"]
    changed = await master.post(f"{prefix}/update", user_id="c1", alias="Prime")
    assert (changed["alias"], changed["litellm_budget_table"]["max_budget"]) == ("Prime", 2.0)
    info = await master.get(f"{prefix}/info", end_user_id="c1")
    assert info["alias"] == "Prime"
    blocked = await master.post(f"{prefix}/block", user_ids=["c1", "c2"])
    assert [(row["user_id"], row["blocked"]) for row in blocked["blocked_users"]] == [("c1", True), ("c2", True)]
    await master.post(f"{prefix}/unblock", user_ids=["c1"])
    found = {row["user_id"]: row["blocked"] for row in await master.get(f"{prefix}/list")}
    assert found == {"c1": False, "c2": True}
    deleted = await master.post(f"{prefix}/delete", user_ids=["c1"])
    assert deleted["deleted_customers"] == 1
    answer = await master.unread(f"{prefix}/info", end_user_id="c1")
    assert (answer.status, answer.error["type"]) == (404, "not_found")


async def test_refusals_name_their_field(master: Client) -> None:
    await master.post("/customer/new", user_id="c1")
    for path, body, status, param in (
        ("/customer/new", {"user_id": "c1"}, 400, "user_id"),
        ("/customer/new", {}, 400, "user_id"),
        ("/customer/new", {"user_id": "c2", "budget_id": "b", "max_budget": 1}, 400, "budget_id"),
        ("/customer/new", {"user_id": "c2", "allowed_model_region": "moon"}, 400, "allowed_model_region"),
        ("/customer/new", {"user_id": "c2", "default_model": "ghost"}, 400, "default_model"),
        ("/customer/update", {"user_id": "ghost"}, 404, "user_id"),
        ("/customer/delete", {"user_ids": ["c1", "ghost"]}, 404, "user_ids"),
    ):
        answer = await master.refused(path, **body)
        assert (answer.status, answer.error["param"]) == (status, param), (path, body)
    assert (await master.get("/customer/info", end_user_id="c1"))["user_id"] == "c1"


async def test_the_list_has_pages_and_a_search(master: Client) -> None:
    for number in range(3):
        await master.post("/customer/new", user_id=f"c{number}", alias=f"Customer {number}")
    page = await master.get("/customer/list", page="2", page_size="2")
    assert [row["user_id"] for row in page] == ["c2"]
    found = await master.get("/customer/list", search="MER 1")
    assert [row["user_id"] for row in found] == ["c1"]
