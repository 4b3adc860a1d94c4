"""Every view of spend says the same, to the nano-USD, and shows each caller its own rows alone."""

from __future__ import annotations

import csv
import io

import pytest

from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import openai_row

from .conftest import Govern
from .world import INPUT, OUTPUT, PRICE, Governed, nano

ONE = 10 * INPUT + 50 * OUTPUT
VIEWS = {
    "/spend/keys": "spend",
    "/spend/users": "spend",
    "/spend/tags": "spend",
    "/global/spend/keys": "total_spend",
    "/global/spend/teams": "total_spend",
    "/global/spend/models": "total_spend",
    "/global/spend/provider": "spend",
    "/global/spend/tags": "spend",
}


@pytest.fixture
async def governed(govern: Govern, scripted_upstream: ScriptedUpstream) -> Governed:
    """Two keys of one user and one team have made three calls."""
    scripted_upstream.default = Reply.chat("x", usage=Usage(10, 50))
    governed = await govern()
    await governed.made("/user/new", user_id="u", user_role="internal_user", auto_create_key=False)
    await governed.made("/team/new", team_id="t", team_alias="T")
    governed.keys = [await governed.key(user_id="u", team_id="t") for _ in range(2)]  # type: ignore[attr-defined]
    for number in (0, 0, 1):
        key = governed.keys[number]  # type: ignore[attr-defined]
        answer = await governed.chat(key, metadata={"tags": ["research"]}, user="c")
        assert answer.status == 200
    return governed


async def test_all_views_agree(governed: Governed) -> None:
    assert await governed.agree() == 3 * ONE
    for path, field in VIEWS.items():
        rows = await governed.get(path)
        assert sum(nano(row[field]) for row in rows) == 3 * ONE, path
    assert nano((await governed.get("/global/spend"))["spend"]) == 3 * ONE
    (day,) = await governed.get("/global/spend/report", group_by="team")
    assert [(row["team_id"], nano(row["total_spend"])) for row in day["teams"]] == [("t", 3 * ONE)]
    (row,) = (await governed.post("/global/spend/end_users", {})).body
    assert (row["end_user"], nano(row["spend"]), row["api_requests"]) == ("c", 3 * ONE, 3)
    activity = await governed.get("/global/activity")
    assert (activity["sum_api_requests"], activity["sum_total_tokens"]) == (3, 180)
    (model,) = await governed.get("/global/activity/model")
    assert (model["model"], model["sum_api_requests"]) == ("fast", 3)
    for path in ("/team/daily/activity", "/user/daily/activity", "/tag/daily/activity", "/customer/daily/activity"):
        (result,) = (await governed.get(path))["results"]
        assert nano(result["metrics"]["spend"]) == 3 * ONE, path
    assert (await governed.get("/global/spend/all_tag_names"))["tag_names"] == ["research"]


async def test_budgets_of_providers_are_shown_with_their_spend(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.chat("x", usage=Usage(10, 50))
    budgets = {"openai": {"budget_limit": 5, "time_period": "1d"}}
    governed = await govern(
        model_list=[openai_row("fast", scripted_upstream.base_url, "model-fast", **PRICE)],
        router_settings={"provider_budget_config": budgets},
        routeiq={"plugins": {"routing-classic": {}}},
    )
    assert (await governed.chat()).status == 200
    shown = (await governed.get("/provider/budgets"))["providers"]["openai"]
    assert (shown["budget_limit"], shown["time_period"], nano(shown["spend"])) == (5, "1d", ONE)
    assert shown["budget_reset_at"].endswith("Z")


async def test_narrowing_by_team_key_tag_and_time(governed: Governed) -> None:
    first = governed.keys[0]  # type: ignore[attr-defined]
    assert len(await governed.get("/spend/logs", api_key=first)) == 2
    assert await governed.get("/spend/logs", team_id="other") == []
    for query, rows in (
        ({"team_ids": "t,other"}, 1),
        ({"team_ids": "other"}, 0),
        ({"tags": "research"}, 1),
        ({"tags": "resear"}, 0),
        ({"tags": "%"}, 0),
        ({"start_date": "2001-01-01", "end_date": "2001-01-02"}, 0),
    ):
        assert len((await governed.get("/team/daily/activity", **query))["results"]) == rows, query
    for wrong in ({"start_date": "yesterday"}, {"start_date": "2026-02-01", "end_date": "2026-01-01"}):
        async with governed.gateway.session.get("/spend/logs", params=wrong) as response:
            assert response.status == 400


async def test_logs_page_by_what_came_before(governed: Governed) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await governed.get("/spend/logs/v2", page_size="2", **after)
        seen += [row["request_id"] for row in page["data"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    whole = await governed.get("/spend/logs")
    assert seen == [row["request_id"] for row in whole]
    assert len(set(seen)) == 3
    (one,) = await governed.get("/spend/logs", request_id=seen[1])
    assert one == whole[1]
    assert one["completionStartTime"] >= one["startTime"]
    for wrong in ("x", ":", "12", "9" * 40 + ":a"):
        async with governed.gateway.session.get("/spend/logs/v2", params={"after": wrong}) as response:
            assert response.status == 400


async def test_logs_come_as_a_table_that_no_spreadsheet_runs(governed: Governed) -> None:
    await governed.chat(user="=cmd()")
    for how in ({"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}):
        async with governed.gateway.session.get("/spend/logs", **how) as response:
            assert response.content_type == "text/csv"
            rows = list(csv.DictReader(io.StringIO(await response.text())))
        assert sum(int(row["spend_nano_usd"]) for row in rows) == 4 * ONE
        assert rows[0]["end_user"] == "'=cmd()"


async def test_a_user_sees_its_own_spend_alone(governed: Governed) -> None:
    lone, own = await governed.key(), await governed.key(user_id="u")
    for key in (lone, own):
        await governed.chat(key)
    headers = {"authorization": f"Bearer {own}"}
    async with governed.gateway.session.get("/spend/logs", headers=headers) as response:
        rows = await response.json()
        assert response.status == 200, rows
    assert [row["user"] for row in rows] == ["u"] * 4
    async with governed.gateway.session.get("/spend/logs", headers={"authorization": f"Bearer {lone}"}) as response:
        assert response.status == 403, "a key of nobody has no role that reads spend"


async def test_the_cost_of_a_call_can_be_asked(governed: Governed) -> None:
    asked = {"model": "fast", "prompt_tokens": 10, "completion_tokens": 50}
    assert nano((await governed.post("/spend/calculate", asked)).body["cost"]) == ONE
    told = {"completion_response": {"model": "fast", "usage": {"prompt_tokens": 10, "completion_tokens": 50}}}
    assert nano((await governed.post("/spend/calculate", told)).body["cost"]) == ONE
    refused = await governed.post("/spend/calculate", {"model": "unpriced", "prompt_tokens": 1})
    assert (refused.status, refused.error["param"]) == (400, "model")


async def test_the_ledger_is_never_reset(governed: Governed) -> None:
    assert (await governed.post("/global/spend/reset", {})).status == 400
    assert await governed.agree() == 3 * ONE


async def test_resetting_a_key_changes_what_it_may_spend_and_not_what_was_written(governed: Governed) -> None:
    key = await governed.key(max_budget=1.2 * ONE / 1e9)
    assert [(await governed.chat(key, max_tokens=50)).status for _ in range(2)] == [200, 422]
    await governed.made(f"/key/{key}/reset_spend", reset_to=0)
    assert (await governed.chat(key, max_tokens=50)).status == 200
    info = await governed.get("/key/info", key=key)
    assert nano(info["info"]["spend"]) == ONE
    assert nano((await governed.get("/global/spend"))["spend"]) == 5 * ONE
