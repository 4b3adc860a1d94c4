"""Promise: skills of the gateway are what the MCP extension for skills (SEP-2640) asks for, without one warning, and
the inspector verifies every byte of them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from fastmcp import FastMCP
from fastmcp.skills import Skill
from fastmcp.skills.provider import SkillCatalogProvider
from mcp import Client

from .conformance import MODERN, run_server_scenarios
from .inspector import inspect
from .serving import serving
from .through_the_gateway import MODEL

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them

SCENARIOS = {"sep-2640-skills-enumeration": 31, "sep-2640-skills-manifest": 5, "sep-2640-skills-directory": 6}
"""With how many checks each has of its own when it can look at everything."""
PICTURE = b"\x89PNG\r\n\x1a\n\0\xff"


def write(source: Path, name: str, more: str = "") -> None:
    (source / name / "templates" / "deep").mkdir(parents=True)
    head = f'---\nname: {name}\ndescription: "Does {name}: well."\n{more}---\n'
    (source / name / "SKILL.md").write_text(f"{head}\n# {name}\n", encoding="utf-8")
    (source / name / "templates" / "ä b.md").write_text("# T\r\n", encoding="utf-8", newline="")
    (source / name / "templates" / "deep" / "logo.png").write_bytes(PICTURE)


@pytest.fixture
async def served(gateway, tmp_path: Path) -> str:
    """The URL of a gateway with skills."""
    source = tmp_path / "skills"
    write(
        source, "invoices", 'license: MIT\nmetadata:\n  version: "1.0"\n  day: 2026-11-26\nallowed-tools: Read Write\n'
    )
    write(source, "refunds")
    plugins = {
        "skills": {"sources": [{"kind": "folder", "path": str(source)}]},
        "mcp": {"virtual_servers": {"open": {"servers": ["skills"], "prefix": False, "auth": "none"}}},
    }
    return (await gateway({"model_list": [MODEL], "routeiq": {"plugins": plugins}})).url


async def test_the_scenarios_are_covered_whole_without_a_warning(served: str, record_property) -> None:
    report = await run_server_scenarios(f"{served}/open/mcp", list(SCENARIOS), MODERN)
    whole = [scenario for scenario in report.scenarios if scenario.passed and not scenario.warned]
    record_property("shown", f"MCP conformance, SEP-2640 server scenarios, skills of the gateway: {len(whole)}/3")
    for scenario in report.scenarios:
        assert scenario.passed, report.table()
        assert not scenario.warned, report.table()
    assert {scenario.name: len(scenario.ran) for scenario in report.scenarios} == SCENARIOS


async def test_the_inspector_verifies_every_file(served: str) -> None:
    done = await inspect(f"{served}/open/mcp", "skills/list", era="modern", options=("--verify",))
    assert done.code == 0, done.err or done.out
    assert [row["outcome"] for row in done.rows] == ["verified", "verified"]
    files = [file for row in done.rows for file in row["files"]]
    assert [file["status"] for file in files] == ["verified"] * 6


async def test_a_client_reads_text_and_bytes_and_nothing_else(served: str) -> None:
    async with Client(f"{served}/open/mcp") as client:
        text = await client.read_resource("skill://refunds/templates/%C3%A4%20b.md")
        assert text.contents[0].text == "# T\r\n"
        picture = await client.read_resource("skill://refunds/templates/deep/logo.png")
        assert base64.b64decode(picture.contents[0].blob) == PICTURE
        assert picture.contents[0].mime_type == "image/png"
        listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
        assert len(listed) == 6
        for uri in (
            "skill://refunds/../invoices/SKILL.md",
            "skill://refunds/%2e%2e/invoices/SKILL.md",
            "skill://refunds/..%2finvoices/SKILL.md",
            "skill://refunds/templates/../SKILL.md",
            "skill://refunds/SKILL%2Emd",
            "skill://refunds//SKILL.md",
            "skill://refunds/%00",
            "skill:///etc/passwd",
            "skill://../../etc/passwd",
            "skill://refunds/templates",
            "SKILL://refunds/SKILL.md",
            "file:///etc/passwd",
        ):
            with pytest.raises(Exception, match="Resource not found"):
                await client.read_resource(uri)


def another_make() -> FastMCP:
    """A server of another make with two skills, one of which has the URI of one of ours."""
    files = {"notes.md": "# N\n", "deep/logo.png": PICTURE}
    skills = [
        Skill(name="refunds", description="Another one.", instructions="# Other\n", files=files),
        Skill(name="shipping", description="Ship it.", instructions="# Ship\n"),
    ]
    server = FastMCP("another")
    server.add_provider(SkillCatalogProvider(skills))
    return server


async def test_skills_of_two_servers_are_verified_together_each_at_home(gateway, tmp_path: Path) -> None:
    source = tmp_path / "skills"
    write(source, "refunds")
    plugins = {
        "skills": {"sources": [{"kind": "folder", "path": str(source)}]},
        "mcp": {"virtual_servers": {"open": {"servers": ["skills", "other"], "prefix": False, "auth": "none"}}},
    }
    async with serving(another_make().http_app(stateless_http=True)) as url:
        rows = {"other": {"url": f"{url}/mcp", "transport": "http"}}
        gw = await gateway({"model_list": [MODEL], "mcp_servers": rows, "routeiq": {"plugins": plugins}})
        done = await inspect(f"{gw.url}/open/mcp", "skills/list", era="modern", options=("--verify",))
        assert done.code == 0, done.err or done.out
        assert {row["uri"]: row["outcome"] for row in done.rows} == {
            "skill://refunds/SKILL.md": "verified",
            "routeiq-mcp://other/skill://refunds/SKILL.md": "verified",
            "skill://shipping/SKILL.md": "verified",
        }
        report = await run_server_scenarios(f"{gw.url}/open/mcp", list(SCENARIOS), MODERN)
        assert [scenario.name for scenario in report.scenarios if not scenario.passed] == [], report.table()
        warned = {check.id for scenario in report.scenarios for check in scenario.warned}
        assert warned <= {"sep-2640-names-should-be-unique", "sep-2640-skill-uri-scheme", "sep-2640-authority-reg-name"}
