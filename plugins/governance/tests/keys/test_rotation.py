"""A rotated key is the same key with another text: same limits, same spend, one budget, for both while they overlap."""

from __future__ import annotations

import openai

from .client import Client


async def _spend(master: Client, key: str) -> float:
    return float((await master.get("/key/info", key=key))["info"]["spend"])


async def test_both_texts_spend_one_budget(master: Client) -> None:
    old = await master.make(max_budget=1.0, key_alias="it")
    assert await master.with_key(old["key"]).chat() == 200
    spent = await _spend(master, old["key"])
    assert spent > 0
    new = await master.post("/key/regenerate", key=old["key"], grace_period="1h")
    assert new["spend"] == spent
    before, after = master.with_key(old["key"]), master.with_key(new["key"])
    assert (await before.chat(), await after.chat()) == (200, 200)
    assert await _spend(master, new["key"]) == spent * 3
    answers = 0
    while await (before if answers % 2 else after).chat() == 200:
        answers += 1
        assert answers < 100
    assert await before.chat() == 422
    assert await after.chat() == 422
    assert await _spend(master, new["key"]) <= 1.0


async def test_what_happens_to_the_new_key_happens_to_the_old_text(master: Client) -> None:
    old = await master.make(models=["fast"])
    new = await master.post("/key/regenerate", key=old["key"], overlap="1h")
    before = master.with_key(old["key"])
    assert (await before.chat("fast"), await before.chat("smart")) == (200, 403)
    await master.post("/key/update", key=new["key"], models=["smart"])
    assert (await before.chat("fast"), await before.chat("smart")) == (403, 200)
    await master.post("/key/block", key=new["key"])
    assert await before.chat("smart") == 401
    await master.post("/key/unblock", key=new["key"])
    assert (await before.get("/key/info"))["key"] == new["token"]
    await master.post("/key/block", key=old["key"])
    assert (await before.chat("smart"), await master.with_key(new["key"]).chat("smart")) == (401, 200)


async def test_deleting_a_rotated_key_ends_all_its_texts(master: Client) -> None:
    first = await master.make()
    second = await master.post("/key/regenerate", key=first["key"], grace_period="1h")
    third = await master.post("/key/regenerate", key=second["key"], grace_period="1h")
    texts = [each["key"] for each in (first, second, third)]
    assert [await master.with_key(text).chat() for text in texts] == [200, 200, 200]
    await master.post("/key/delete", keys=[third["token"]])
    assert [await master.with_key(text).chat() for text in texts] == [401, 401, 401]
    assert (await master.get("/key/list"))["total_count"] == 0


async def test_a_key_is_rotated_once(master: Client) -> None:
    old = await master.make()
    await master.post("/key/regenerate", key=old["key"], grace_period="1h")
    assert await master.refused("/key/regenerate", {"key": old["key"]}) == (400, "invalid_request_error", "key")


async def test_without_an_overlap_the_old_text_is_unknown_at_once(master: Client) -> None:
    old = await master.make(key_alias="it", max_budget=3.0)
    assert await master.with_key(old["key"]).chat() == 200
    new = await master.post(f"/key/{old['token']}/regenerate", max_budget=4.0)
    assert (new["key_alias"], new["max_budget"]) == ("it", 4.0)
    assert new["key"] != old["key"]
    assert await master.with_key(old["key"]).chat() == 401
    async with openai.AsyncOpenAI(api_key=new["key"], base_url=f"{master.gateway.url}/v1", max_retries=0) as client:
        answer = await client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "x"}])
        assert answer.choices[0].message.content


async def test_a_caller_rotates_its_own_key_but_grants_itself_nothing(master: Client) -> None:
    user = await master.as_user("uma", max_budget=5.0, models=["fast"])
    own = await user.get("/key/info")
    for more in ({"team_id": "ghost"}, {"user_id": "other"}, {"spend": 0}, {"permissions": {"get_spend_routes": True}}):
        status, answer = await user.ask("POST", "/key/regenerate", more)
        assert status in (403, 404), (more, answer)
    rotated = await user.post("/key/regenerate")
    assert rotated["user_id"] == "uma"
    assert await user.chat() == 401
    assert (await master.with_key(rotated["key"]).get("/key/info"))["key"] != own["key"]


async def test_a_window_keeps_what_was_spent_in_it(master: Client) -> None:
    old = await master.make(max_budget=1.0, budget_duration="30d")
    assert await master.with_key(old["key"]).chat() == 200
    spent, ends = await _spend(master, old["key"]), old["budget_reset_at"]
    new = await master.post("/key/regenerate", key=old["key"])
    assert (new["spend"], new["budget_reset_at"]) == (spent, ends)
    assert await master.with_key(new["key"]).chat() == 200
    assert await _spend(master, new["key"]) == spent * 2
