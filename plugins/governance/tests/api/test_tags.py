"""Tags with budgets."""

from __future__ import annotations

from .world import Client


async def test_the_life_of_a_tag(master: Client) -> None:
    made = await master.post(
        "/tag/new", name="research", description="Papers", models=["fast"], max_budget=5, budget_duration="7d"
    )
    assert "research" in made["message"]
    assert (made["tag"]["name"], made["tag"]["description"], made["tag"]["models"]) == ("research", "Papers", ["fast"])
    info = await master.post("/tag/info", names=["research"])
    assert info["research"]["litellm_budget_table"]["max_budget"] == 5.0
    changed = await master.post("/tag/update", name="research", description="Studies")
    assert changed["tag"]["description"] == "Studies"
    assert changed["tag"]["models"] == ["fast"]
    (listed,) = await master.get("/tag/list")
    assert (listed["name"], listed["spend"]) == ("research", 0.0)
    await master.post("/tag/delete", name="research")
    assert await master.get("/tag/list") == []
    for path, body in (
        ("/tag/info", {"names": ["research"]}),
        ("/tag/update", {"name": "research"}),
        ("/tag/delete", {"name": "research"}),
    ):
        assert (await master.refused(path, **body)).status == 404


async def test_a_taken_name_is_refused(master: Client) -> None:
    await master.post("/tag/new", name="research")
    answer = await master.refused("/tag/new", name="research")
    assert (answer.status, answer.error["param"]) == (400, "name")
