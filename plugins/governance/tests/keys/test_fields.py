"""Keys keep what they were given, in LiteLLM's shapes; what is absent stays, `null` clears, nonsense is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from .client import Client

GIVEN: dict[str, Any] = {
    "key_alias": "mine",
    "models": ["fast"],
    "aliases": {"quick": "fast"},
    "max_budget": 12.345678901,
    "soft_budget": 1.5,
    "budget_duration": "1mo",
    "budget_limits": [{"budget_duration": "1h", "max_budget": 2.0}],
    "model_max_budget": {"fast": {"max_budget": 1.25, "budget_duration": "1d"}},
    "max_parallel_requests": 3,
    "tpm_limit": 1000,
    "rpm_limit": 60,
    "tpd_limit": 100000,
    "allowed_routes": ["llm_api_routes", "info_routes"],
    "allowed_cache_controls": ["no-cache"],
    "permissions": {"get_spend_routes": True},
    "config": {"a": 1},
    "rotation_interval": "30d",
}
IN_METADATA: dict[str, Any] = {
    "model_rpm_limit": {"fast": 5},
    "model_tpm_limit": {"fast": 50},
    "tag_rpm_limit": {"a": 7},
    "tags": ["a"],
    "guardrails": ["pii"],
    "enforced_params": ["user"],
}


async def _info(client: Client, key: str) -> dict[str, Any]:
    return dict((await client.get("/key/info", key=key))["info"])


async def test_a_key_tells_what_it_was_given(master: Client) -> None:
    made = await master.make(**GIVEN, **IN_METADATA, metadata={"cost_center": "R7"}, duration="30d")
    info = await _info(master, made["token"])
    for name, value in GIVEN.items():
        assert (made[name], info[name]) == (value, value), name
    for name, value in IN_METADATA.items():
        assert info["metadata"][name] == value, name
    assert info["metadata"]["cost_center"] == "R7"
    assert (info["spend"], info["blocked"], info["user_id"], info["team_id"]) == (0.0, False, None, None)
    for name in ("expires", "budget_reset_at", "created_at", "updated_at"):
        assert datetime.fromisoformat(info[name]).tzinfo is not None, name
    assert "key" not in info
    assert made["token"] == made["token_id"] == info["token"]
    assert made["key_name"] == f"sk-...{made['key'][-4:]}"


async def test_each_field_is_changed_alone_and_cleared_by_null(master: Client) -> None:
    made = await master.make(**GIVEN, metadata={"a": 1})
    before = await _info(master, made["token"])
    for name in GIVEN:
        await master.post("/key/update", key=made["key"], **{name: None})
        after = await _info(master, made["token"])
        assert after[name] in (None, [], {}, False), name
        moved = {field for field in before if before[field] != after[field]} - {"updated_at", "updated_by", name}
        assert moved <= ({"budget_reset_at"} if name == "budget_duration" else set()), (name, moved)
        before = after


async def test_metadata_is_replaced_and_an_empty_object_empties_it(master: Client) -> None:
    made = await master.make(metadata={"a": 1, "b": {"c": [2]}})
    await master.post("/key/update", key=made["key"], rpm_limit=3)
    assert (await _info(master, made["token"]))["metadata"] == {"a": 1, "b": {"c": [2]}}
    await master.post("/key/update", key=made["key"], metadata={"d": 4})
    assert (await _info(master, made["token"]))["metadata"] == {"d": 4}
    await master.post("/key/update", key=made["key"], metadata={})
    assert (await _info(master, made["token"]))["metadata"] == {}


async def test_the_window_moves_with_its_duration_alone(master: Client) -> None:
    made = await master.make(max_budget=1, budget_duration="30d")
    for change in ({"max_budget": 2}, {"rpm_limit": 1}, {"metadata": {}}, {"budget_duration": "30d"}):
        changed = await master.post("/key/update", key=made["key"], **change)
        assert changed["budget_reset_at"] == made["budget_reset_at"], change
    changed = await master.post("/key/update", key=made["key"], budget_duration="1d")
    assert changed["budget_reset_at"] < made["budget_reset_at"]


async def test_the_duration_of_a_key_is_prolonged_and_taken_away(master: Client) -> None:
    made = await master.make(duration="30m")
    longer = await master.post("/key/update", key=made["key"], duration="30d")
    assert longer["expires"] > made["expires"]
    assert (await master.post("/key/update", key=made["key"], duration=None))["expires"] is None


async def test_a_temporary_increase_holds_until_its_end(master: Client) -> None:
    made = await master.make(max_budget=0.0)
    caller = master.with_key(made["key"])
    assert await caller.chat() == 422
    more = {"temp_budget_increase": 5, "temp_budget_expiry": "2200-01-01T00:00:00Z"}
    changed = await master.post("/key/update", key=made["key"], **more)
    assert changed["temp_budget_increase"] == 5.0
    assert await caller.chat() == 200
    await master.post("/key/update", key=made["key"], temp_budget_expiry="2020-01-01T00:00:00Z")
    assert await caller.chat() == 422


async def test_aliases_are_unique_and_free_again_after_a_delete(master: Client) -> None:
    first, second = await master.make(key_alias="it"), await master.make()
    for path, body in (("/key/generate", {}), ("/key/update", {"key": second["key"]})):
        refused = await master.refused(path, {**body, "key_alias": "it"})
        assert refused == (400, "invalid_request_error", "key_alias")
    await master.post("/key/update", key=first["key"], key_alias="it", rpm_limit=1)
    await master.post("/key/delete", key_aliases=["it"])
    assert (await master.post("/key/update", key=second["key"], key_alias="it"))["key_alias"] == "it"


async def test_keys_change_each_by_itself(master: Client) -> None:
    first, second = await master.make(), await master.make()
    told = await master.post(
        "/key/bulk_update",
        keys=[
            {"key": first["key"], "max_budget": 5},
            {"key": second["token"], "max_budget": -1},
            {"key": "sk-ghost", "max_budget": 5},
            7,
            {"max_budget": 5},
        ],
    )
    assert told["total_requested"] == 5
    assert [row["key_info"]["max_budget"] for row in told["successful_updates"]] == [5.0]
    assert told["failed_updates"][0]["key"] == second["token"]
    assert len(told["failed_updates"]) == 4
    assert (await _info(master, second["token"]))["max_budget"] is None


BAD: list[tuple[str, Any]] = [
    ("max_budget", -1),
    ("max_budget", 9.1e9),
    ("max_budget", "a lot"),
    ("max_budget", True),
    ("soft_budget", -3),
    ("budget_duration", "soon"),
    ("budget_duration", "0d"),
    ("budget_limits", [{"max_budget": 1}]),
    ("budget_limits", {"1h": 1}),
    ("model_max_budget", {"fast": {"max_budget": -1}}),
    ("tpm_limit", -1),
    ("rpm_limit", 1.5),
    ("rpm_limit", 10**30),
    ("tpd_limit", "many"),
    ("max_parallel_requests", -1),
    ("model_rpm_limit", {"fast": "x"}),
    ("models", "fast"),
    ("models", [1]),
    ("aliases", ["a"]),
    ("metadata", "x"),
    ("duration", "tomorrow"),
    ("duration", "9999999mo"),
    ("blocked", "yes"),
    ("key_alias", 5),
    ("key_alias", "a\x00b"),
    ("key_alias", "\ud800"),
    ("user_id", ""),
    ("team_id", "a\nb"),
    ("permissions", []),
    ("allowed_routes", "all"),
    ("temp_budget_expiry", "soon"),
    ("temp_budget_expiry", "9999-01-01"),
    ("spend", -1),
    ("tags", "a"),
    ("auto_rotate", 1),
    ("rotation_interval", "x"),
    ("max_bugdet", 3),
]


async def test_nonsense_is_refused_with_its_field(master: Client) -> None:
    made = await master.make()
    before = await _info(master, made["token"])
    for name, value in BAD:
        for path, body in (("/key/generate", {}), ("/key/update", {"key": made["key"]})):
            status, kind, param = await master.refused(path, {**body, name: value})
            assert (status, kind) == (400, "invalid_request_error"), (path, name, value)
            assert param == name or "\ud800" in str(value), (path, name, value)
    assert await _info(master, made["token"]) == before


@pytest.mark.parametrize("path", ["/key/update", "/key/block", "/key/unblock", "/key/delete", "/v2/key/info"])
async def test_a_key_must_be_named(master: Client, path: str) -> None:
    status, kind, _ = await master.refused(path, {})
    assert (status, kind) == (400, "invalid_request_error")
