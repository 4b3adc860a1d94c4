"""Budgets that several entities share."""

from __future__ import annotations

from .world import Client


async def test_the_life_of_a_budget(master: Client) -> None:
    made = await master.post(
        "/budget/new", budget_id="b1", max_budget=10, soft_budget=8, budget_duration="30d", tpm_limit=100
    )
    assert (made["budget_id"], made["max_budget"], made["soft_budget"], made["tpm_limit"]) == ("b1", 10.0, 8.0, 100)
    assert made["budget_reset_at"]
    answer = await master.refused("/budget/new", budget_id="b1")
    assert (answer.status, answer.error["param"]) == (400, "budget_id")
    changed = await master.post("/budget/update", budget_id="b1", max_budget=12)
    assert (changed["max_budget"], changed["budget_reset_at"]) == (12.0, made["budget_reset_at"])
    (info,) = await master.post("/budget/info", budgets=["b1"])
    assert info["max_budget"] == 12.0
    assert [row["budget_id"] for row in await master.get("/budget/list")] == ["b1"]
    deleted = await master.post("/budget/delete", id="b1")
    assert deleted["budget_id"] == "b1"
    assert await master.get("/budget/list") == []
    for path, body in (("/budget/update", {"budget_id": "b1"}), ("/budget/delete", {"id": "b1"})):
        assert (await master.refused(path, **body)).status == 404


async def test_an_id_is_made_when_none_is_given(master: Client) -> None:
    assert (await master.post("/budget/new", max_budget=1))["budget_id"]


async def test_a_deleted_budget_bounds_nobody(master: Client) -> None:
    await master.post("/budget/new", budget_id="b1", max_budget=1)
    await master.post("/customer/new", user_id="c1", budget_id="b1")
    assert (await master.get("/customer/info", end_user_id="c1"))["litellm_budget_table"]["max_budget"] == 1.0
    await master.post("/budget/delete", id="b1")
    assert (await master.get("/customer/info", end_user_id="c1"))["litellm_budget_table"] is None


async def test_the_settings_describe_each_field(master: Client) -> None:
    await master.post("/budget/new", budget_id="b1", max_budget=1)
    fields = {row["field_name"]: row for row in await master.get("/budget/settings", budget_id="b1")}
    assert fields["max_budget"]["field_value"] == 1.0
    assert fields["rpm_limit"]["field_value"] is None
    assert all(row["field_description"] for row in fields.values())
