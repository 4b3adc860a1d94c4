"""What a key counts as having spent can be set, and the budget then holds for that."""

from __future__ import annotations

import pytest

from .client import Client

WINDOWS = pytest.mark.parametrize("window", [{}, {"budget_duration": "30d"}], ids=["ever", "window"])


@WINDOWS
async def test_spend_is_reset_and_the_budget_with_it(master: Client, window: dict[str, str]) -> None:
    made = await master.make(max_budget=0.5, **window)
    caller = master.with_key(made["key"])
    while await caller.chat() == 200:
        pass
    spent = (await caller.get("/key/info"))["info"]["spend"]
    assert 0 < spent <= 0.5
    told = await master.post(f"/key/{made['token']}/reset_spend", reset_to=0)
    assert (told["spend"], told["previous_spend"]) == (0.0, spent)
    assert await caller.chat() == 200
    again = (await caller.get("/key/info"))["info"]["spend"]
    assert 0 < again < spent
    while await caller.chat() == 200:
        pass
    assert (await caller.get("/key/info"))["info"]["spend"] <= 0.5, "a reset gives the budget back once, and no more"


@WINDOWS
async def test_an_update_sets_what_was_spent(master: Client, window: dict[str, str]) -> None:
    made = await master.make(max_budget=10.0, **window)
    caller = master.with_key(made["key"])
    assert await caller.chat() == 200
    changed = await master.post("/key/update", key=made["key"], spend=10.0)
    assert changed["spend"] == 10.0
    assert await caller.chat() == 422
    changed = await master.post("/key/update", key=made["key"], spend=1.5)
    assert changed["spend"] == 1.5
    assert await caller.chat() == 200


async def test_a_key_may_be_made_with_some_of_its_budget_spent(master: Client) -> None:
    made = await master.make(max_budget=2.0, spend=2.0)
    assert made["spend"] == 2.0
    assert await master.with_key(made["key"]).chat() == 422


async def test_a_reset_above_what_was_spent_is_refused(master: Client) -> None:
    made = await master.make()
    path = f"/key/{made['token']}/reset_spend"
    assert await master.refused(path, {"reset_to": 1}) == (400, "invalid_request_error", "reset_to")
    assert (await master.ask("POST", f"/key/{'0' * 64}/reset_spend", {"reset_to": 0}))[0] == 404
