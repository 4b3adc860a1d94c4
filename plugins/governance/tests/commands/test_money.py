"""`routeiq budgets`, `policies` and `spend`: one line sets a budget, and the figures are the ledger's."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from .conftest import Terminal


async def team_key(terminal: Terminal, alias: str = "A") -> str:
    id = await terminal.told("teams", "create", alias)
    return await terminal.told("keys", "create", "--team", id)


async def test_team_a_gets_fifty_dollars_a_day_in_one_line(terminal: Terminal) -> None:
    key = await team_key(terminal)
    assert (
        await terminal.told("budgets", "set", "team", "A", "50", "usd/day")
        == "team-A-usd-day: team A gets 50 usd a day"
    )
    assert await terminal.chat(key) == 200
    await terminal.told("budgets", "set", "team", "A", "0.000001", "usd/day", "--zone", "Europe/Berlin")
    assert await terminal.chat(key) == 422
    (quota,) = await terminal.json("policies", "list")
    assert (quota["id"], quota["limit"], quota["zone"]) == ("team-A-usd-day", 0.000001, "Europe/Berlin")
    assert "team A" in await terminal.told("budgets", "list")
    assert "Europe/Berlin" in await terminal.told("budgets", "show", "team-A-usd-day")
    await terminal.told("budgets", "delete", "team-A-usd-day", "--yes")
    assert await terminal.chat(key) == 200


async def test_requests_a_minute_and_a_quota_that_only_tells(terminal: Terminal) -> None:
    key = await team_key(terminal)
    await terminal.told("budgets", "set", "team", "A", "1", "requests/minute", "--shadow")
    assert [await terminal.chat(key) for _ in range(2)] == [200, 200]
    assert "shadow" in await terminal.told("policies", "list")


@pytest.mark.parametrize("unit", ["dollars/day", "/day", "usd/"])
async def test_a_unit_that_is_none_is_refused(terminal: Terminal, unit: str) -> None:
    result = await terminal.run("budgets", "set", "team", "A", "1", unit)
    assert (result.exit_code == 2) or unit == "usd/"


async def test_policies_come_from_json(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "quota.json"
    file.write_text(
        json.dumps({"id": "q", "scope": {"model": "fast"}, "limit": 10, "unit": "requests", "window": "hour"})
    )
    assert await terminal.told("policies", "create", str(file)) == "q"
    assert await terminal.told("policies", "update", "q", "-", typed='{"limit": 11}') == "q"
    assert (await terminal.json("policies", "show", "q"))["limit"] == 11
    assert "unit" in await terminal.refused("policies", "update", "q", "-", typed='{"unit": "bananas"}')
    assert "no JSON" in await terminal.refused("policies", "create", "-", typed="limit: 3")
    assert await terminal.told("policies", "delete", "q", "--yes") == "deleted q"


async def test_reports_and_exports_agree_to_the_nano_usd(terminal: Terminal, tmp_path: Path) -> None:
    assert await terminal.told("spend", "report") == "nothing was spent"
    key = await team_key(terminal)
    for _ in range(3):
        assert await terminal.chat(key) == 200
    (team,) = await terminal.json("spend", "report", "--by", "team")
    for by in ("key", "team", "model", "day", "provider"):
        table = await terminal.told("spend", "report", "--by", by)
        assert f"{team['total_spend']:.9f}".rstrip("0") in table, table
    file = tmp_path / "spend.csv"
    await terminal.told("spend", "export", "--csv", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert len(rows) == 3
    assert sum(int(row["spend_nano_usd"]) for row in rows) == round(team["total_spend"] * 10**9)
    assert len(await terminal.json("spend", "export")) == 3
    assert await terminal.told("spend", "report", "--from", "2020-01-01", "--to", "2020-01-02") == "nothing was spent"
    assert "start_date" in await terminal.refused("spend", "report", "--from", "yesterday")
