"""`routeiq keys`: what is printed can be used, and what is done is done."""

from __future__ import annotations

from .conftest import Terminal


async def test_a_key_is_made_used_rotated_blocked_and_deleted(terminal: Terminal) -> None:
    key = await terminal.told("keys", "create", "--alias", "mine", "--model", "fast", "--rpm-limit", "100")
    assert await terminal.chat(key) == 200
    new = await terminal.told("keys", "rotate", key)
    assert (await terminal.chat(key), await terminal.chat(new)) == (401, 200)
    assert await terminal.told("keys", "block", new) == "blocked"
    assert await terminal.chat(new) == 401
    assert await terminal.told("keys", "unblock", new) == "unblocked"
    assert await terminal.chat(new) == 200
    assert await terminal.told("keys", "delete", new, "--yes") == "deleted 1"
    assert await terminal.chat(new) == 401


async def test_rotation_with_an_overlap_keeps_the_old_one(terminal: Terminal) -> None:
    key = await terminal.told("keys", "create")
    new = await terminal.told("keys", "rotate", key, "--overlap", "1h")
    assert (await terminal.chat(key), await terminal.chat(new)) == (200, 200)


async def test_lists_show_tails_and_no_keys(terminal: Terminal) -> None:
    key = await terminal.told("keys", "create", "--alias", "mine", "--max-budget", "5", "--budget-duration", "30d")
    table = await terminal.told("keys", "list")
    assert key not in table
    for shown in ("mine", key[-4:], "5.00 / 30d", "works"):
        assert shown in table
    rows = await terminal.json("keys", "list")
    assert [row["key_alias"] for row in rows] == ["mine"]
    fields = await terminal.told("keys", "info", key)
    assert "key_alias" in fields
    assert "mine" in fields


async def test_an_update_changes_what_is_given(terminal: Terminal) -> None:
    key = await terminal.told("keys", "create", "--rpm-limit", "5", "--metadata", '{"a": 1}')
    await terminal.told("keys", "update", key, "--alias", "named")
    info = (await terminal.json("keys", "info", key))["info"]
    assert (info["key_alias"], info["rpm_limit"], info["metadata"]) == ("named", 5, {"a": 1})


async def test_refusals_are_one_line(terminal: Terminal) -> None:
    assert "does not exist" in await terminal.refused("keys", "info", "sk-nobody-has-this-one")
    assert "expected" in await terminal.refused("keys", "create", "--duration", "a while")
    assert "no gateway answers" in await terminal.refused("keys", "list", url="http://127.0.0.1:1")
    assert "Authentication" in await terminal.refused("keys", "list", key="sk-nobody-has-this-one")
    assert "is the address right" in await terminal.refused(
        "keys", "list", url=terminal.gateway.url + "/health/liveliness?x="
    )


async def test_without_a_key_a_command_says_how_to_give_one(terminal: Terminal) -> None:
    result = await terminal.run("keys", "list", "--key", "")
    assert result.exit_code == 2
    assert "ROUTEIQ_MASTER_KEY" in result.stderr
