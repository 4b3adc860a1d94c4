"""Budgets and durations that make no sense are refused with 400 and their field, on every route that takes them."""

from __future__ import annotations

from typing import Any

import pytest

from .world import Client

ROUTES = [
    ("POST", "/team/new", {}),
    ("POST", "/team/update", {"team_id": "it"}),
    ("POST", "/user/new", {}),
    ("POST", "/user/update", {"user_id": "it"}),
    ("POST", "/organization/new", {"organization_alias": "x"}),
    ("PATCH", "/organization/update", {"organization_id": "it"}),
    ("POST", "/customer/new", {"user_id": "other"}),
    ("POST", "/customer/update", {"user_id": "it"}),
    ("POST", "/budget/new", {}),
    ("POST", "/budget/update", {"budget_id": "it"}),
    ("POST", "/tag/new", {"name": "other"}),
    ("POST", "/tag/update", {"name": "it"}),
]
BAD: list[tuple[str, Any]] = [
    ("max_budget", -1),
    ("max_budget", -1e-9),
    ("max_budget", 9.1e9),
    ("max_budget", 1e308),
    ("max_budget", "a lot"),
    ("max_budget", True),
    ("max_budget", [5]),
    ("soft_budget", -3),
    ("budget_duration", "soon"),
    ("budget_duration", "0d"),
    ("budget_duration", "-1d"),
    ("budget_duration", "999999999999d"),
    ("budget_duration", 30),
    ("tpm_limit", -1),
    ("rpm_limit", 1.5),
    ("rpm_limit", 10**30),
    ("max_parallel_requests", "two"),
    ("model_max_budget", {"fast": {"max_budget": -1}}),
    ("model_max_budget", {"fast": {"max_budget": 1, "budget_duration": "x"}}),
    ("model_max_budget", [1]),
]


async def test_nonsense_is_refused_with_its_field(master: Client) -> None:
    await master.post("/team/new", team_id="it")
    await master.post("/user/new", user_id="it", auto_create_key=False)
    await master.post("/organization/new", organization_id="it", organization_alias="It")
    await master.post("/customer/new", user_id="it")
    await master.post("/budget/new", budget_id="it")
    await master.post("/tag/new", name="it")
    for method, path, named in ROUTES:
        for field, value in BAD:
            answer = await master.ask(method, path, {**named, field: value})
            assert answer.status == 400, (path, field, value, answer)
            assert answer.error["param"] == field, (path, field, value, answer)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
async def test_numbers_that_json_does_not_know_are_refused(master: Client, number: str) -> None:
    for path in ("/team/new", "/user/new", "/budget/new"):
        async with master.gateway.session.post(path, data=f'{{"max_budget": {number}}}') as response:
            assert response.status == 400, (path, await response.text())


@pytest.mark.parametrize("body", ["[]", "3", '"text"', "{", '{"team_id": 1, "team_id": 2', "\ud800"])
async def test_a_body_that_is_no_object_is_refused(master: Client, body: str) -> None:
    async with master.gateway.session.post("/team/new", data=body.encode("utf-8", "surrogatepass")) as response:
        assert response.status == 400, await response.text()
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_wrong_types_are_refused_with_their_field(master: Client) -> None:
    for path, body, param in (
        ("/team/new", {"team_alias": 3}, "team_alias"),
        ("/team/new", {"models": "fast"}, "models"),
        ("/team/new", {"models": [1]}, "models"),
        ("/team/new", {"metadata": []}, "metadata"),
        ("/team/new", {"blocked": "yes"}, "blocked"),
        ("/team/new", {"members_with_roles": {}}, "members_with_roles"),
        ("/team/delete", {"team_ids": "it"}, "team_ids"),
        ("/team/delete", {}, "team_ids"),
        ("/user/new", {"user_email": 5}, "user_email"),
        ("/user/new", {"teams": [3]}, "teams"),
        ("/user/delete", {"user_ids": [{}]}, "user_ids"),
        ("/customer/block", {"user_ids": None}, "user_ids"),
        ("/budget/info", {"budgets": []}, "budgets"),
        ("/tag/info", {"names": 4}, "names"),
    ):
        answer = await master.refused(path, **body)
        assert (answer.status, answer.error["param"]) == (400, param), (path, body, answer)


@pytest.mark.parametrize("budget", [0, 0.000000001, 0.1, 12.345678901, 9e9])
async def test_budgets_come_back_to_the_nano_dollar(master: Client, budget: float) -> None:
    made = await master.post("/team/new", team_id="it", max_budget=budget)
    assert made["max_budget"] == budget
    assert (await master.get("/team/info", team_id="it"))["team_info"]["max_budget"] == budget
