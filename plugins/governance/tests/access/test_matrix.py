"""Every route, every role, own and other tenant: what the roles' table makes of the route table of a real gateway,
compared with a file that people review (`matrix.txt`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from routeiq_governance.access.gate import Access
from routeiq_governance.access.roles import INFERENCE
from routeiq_governance.identity.caller import Caller
from routeiq_sdk import Principal, Reject
from routeiq_sdk.testing import make_context
from routeiq_sdk.values.http import Headers, HttpRequest
from routeiq_testkit.gateway import TestGateway

from .conftest import Open
from .over_http import Client, Tenants, tenants

GOLDEN = Path(__file__).with_name("matrix.txt")
ROLES: Mapping[str, str] = {
    "master": "master",
    "proxy_admin": "ann",
    "proxy_viewer": "vera",
    "owner": "omar",
    "org_admin": "olga",
    "team_admin": "tess",
    "member": "uma",
    "user_viewer": "vic",
    "billing": "bill",
    "auditor": "aude",
    "team_key": "uma-blue",
    "service": "robot",
    "key": "bare",
}
"""Columns, and whose key stands for each. `owner`, `billing` and `auditor` are bound at the organization."""
TENANTLESS = frozenset({"master", "proxy_admin", "proxy_viewer"})
OWN = {"o": ("organization", "acme"), "t": ("team", "blue"), "m": ("member", "blue/uma")}
OTHER = (("organization", "rival"), ("team", "red"), ("user", "rita"))
HEAD = """What each role may do, by route. `.` refused at the gate, `y` open, else the widest place where it is allowed:
`G` everywhere, `o` the caller's organization, `t` its team, `u` itself, `m` its keys of the team, `k` its key; `f`
stands for privileged fields alone. `!` marks what is allowed in another tenant: none but those above all tenants.
"""


async def test_every_cell_equals_the_reviewed_file(open_gateway: Open, tmp_path: Path) -> None:
    running = await open_gateway(routeiq={"plugins": {"governance": {}, "policy-cedar": {}}})
    made = await tenants(running)
    text = await matrix(running, made)
    fresh = tmp_path / "matrix.txt"
    fresh.write_text(text, encoding="utf-8")
    golden = GOLDEN.read_text(encoding="utf-8")
    changed = sorted(set(text.splitlines()) ^ set(golden.splitlines()))
    assert text == golden, f"review the difference and copy {fresh} over matrix.txt:\n" + "\n".join(changed)


async def matrix(running: TestGateway, made: Tenants) -> str:
    """The matrix as text. Fails for a route that declares no action, and for a cell that reaches another tenant."""
    (member,) = (member for member in running.runtime.plugins.members if member.name == "governance")
    parts = member.instance._parts  # type: ignore[attr-defined]
    callers = {role: await _caller(parts, made[who]) for role, who in ROLES.items()}
    reached: dict[tuple[str, str], str] = {}
    rows = []
    for route in sorted(running.runtime.table.routes, key=lambda route: (route.path, route.method)):
        if route.access == "public":
            continue
        assert route.action, f"{route.method} {route.path} declares no action"
        cells = []
        for role, (client, caller) in callers.items():
            cell = await _gate(parts.access, client, route)
            if cell == "":
                if (role, route.action) not in reached:
                    reached[role, route.action] = await _reach(parts.access, caller, route.action)
                cell = reached[role, route.action]
            assert "!" not in cell or role in TENANTLESS, (role, route.method, route.path, cell)
            cells.append(cell)
        rows.append((f"{route.method} {route.path}", route.action, *cells))
    titles = ("route", "action", *ROLES)
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (titles, *rows)
    ]
    return HEAD + "\n" + "\n".join(lines) + "\n"


async def _caller(parts: Any, client: Client) -> tuple[Principal, Caller]:
    principal = Principal(client.id) if client.id else Principal("master", kind="admin")
    request = HttpRequest("GET", "/", {}, {}, Headers([]), b"", principal)
    return principal, await parts.identity.caller_of(request)


async def _gate(access: Access, principal: Principal, route: Any) -> str:
    """What the gate alone decides; nothing when it depends on the place."""
    ctx = make_context(principal=principal, route=route.path.replace("{", "").replace("}", ""))
    verdict = await access.authorize_action(ctx, route.action)
    if isinstance(verdict, Reject) or (verdict is None and route.access == "admin"):
        return "."
    if verdict is None or route.action in INFERENCE:
        return "y"
    return ""


async def _reach(access: Access, caller: Caller, action: str) -> str:
    """Where an action is allowed."""
    if await access.allows(caller, action, scope="global"):
        return "G!"
    own = {"u": ("user", caller.user), "k": ("key", caller.key_id)}
    own = {"o": OWN["o"], "t": OWN["t"], "u": own["u"], "m": OWN["m"], "k": own["k"]}
    cell = "".join(
        [letter for letter, (scope, id) in own.items() if await access.allows(caller, action, scope=scope, id=id)]
    )
    others = [await access.allows(caller, action, scope=scope, id=id) for scope, id in OTHER]
    return (cell[:1] or "f") + ("!" if any(others) else "")
