"""`routeiq teams` and `routeiq users`."""

from __future__ import annotations

from .conftest import Terminal


async def test_a_team_and_its_members(terminal: Terminal) -> None:
    id = await terminal.told("teams", "create", "A", "--model", "fast")
    await terminal.told("users", "create", "ann", "--email", "ann@example.com", "--role", "internal_user")
    await terminal.told("teams", "members", "add", id, "ann", "--role", "admin")
    row = (await terminal.json("teams", "info", id))["team_info"]
    assert [(each["user_id"], each["role"]) for each in row["members_with_roles"]] == [("ann", "admin")]
    table = await terminal.told("teams", "list")
    assert "A" in table
    assert "fast" in table
    assert "ann (admin)" in await terminal.told("teams", "info", id)
    await terminal.told("teams", "members", "remove", id, "ann@example.com")
    assert (await terminal.json("teams", "info", id))["team_info"]["members_with_roles"] == []
    await terminal.told("teams", "update", id, "--alias", "B", "--block")
    row = (await terminal.json("teams", "info", id))["team_info"]
    assert (row["team_alias"], row["blocked"], row["models"]) == ("B", True, ["fast"])
    assert await terminal.told("teams", "delete", id, "-y") == "deleted 1"
    assert "no teams" in await terminal.told("teams", "list")


async def test_a_user_with_a_first_key(terminal: Terminal) -> None:
    key = await terminal.told("users", "create", "bob", "--with-key", "--max-budget", "3")
    assert await terminal.chat(key) == 200
    table = await terminal.told("users", "list", "--search", "bob")
    assert "3.00" in table
    await terminal.told("users", "update", "bob", "--email", "bob@example.com")
    assert "bob@example.com" in await terminal.told("users", "info", "bob")
    await terminal.told("users", "delete", "bob", "--yes")
    assert await terminal.json("users", "list") == []
