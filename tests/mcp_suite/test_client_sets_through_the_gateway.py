"""Promise: the gateway is a client that conforms, whatever the server behind it asks of one, in either era, protected
by OAuth in every way that the specification knows.

The suite is the server and its authorization server; a person uses it through the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .client_through_the_gateway import clients
from .conformance import LEGACY, MODERN, run_client_scenarios, run_client_set

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them

Shown = Callable[[str, object], None]

EXTENSIONS = {
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
    "auth/enterprise-managed-authorization",
    "json-schema-2020-12-preservation",
}
"""Scenarios without a score that hold all the same."""
NOT_OFFERED = {
    "auth/dpop": "the gateway's tokens are bearers",
    "auth/dpop-nonce": "the gateway's tokens are bearers",
    "auth/wif-jwt-bearer": "there is no mode that presents the workload's own identity",
}
"""Scenarios without a score that ask for extensions which the gateway has not."""
SKILLS = (
    "sep-2640-client-no-prefetch",
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
)
"""Scenarios of the extension for skills. No requirement set names them."""


@pytest.mark.parametrize(("revision", "count"), [(LEGACY, "18/18"), (MODERN, "32/32")])
async def test_the_set_holds(tmp_path: Path, record_property: Shown, revision: str, count: str) -> None:
    async with clients(tmp_path) as command:
        report = await run_client_set(command, revision)
    record_property("shown", f"MCP conformance, client set {revision}, through the gateway: {report.count}")
    assert report.passed == report.scored, report.table()
    assert report.count == count
    unscored = [scenario for scenario in report.scenarios if not scenario.scored]
    assert {scenario.name for scenario in unscored if scenario.passed} == EXTENSIONS, report.table()
    assert {scenario.name for scenario in unscored if not scenario.passed} == NOT_OFFERED.keys()
    assert [scenario.name for scenario in report.scenarios if scenario.passed and scenario.warned] == []


async def test_the_scenarios_of_skills_hold(tmp_path: Path, record_property: Shown) -> None:
    """The gateway reads no file that nobody asked for, and passes on none that is not what the skill's entry says: the
    client behind it checks nothing itself."""
    async with clients(tmp_path) as command:
        report = await run_client_scenarios(command, SKILLS, MODERN)
    passed = [scenario for scenario in report.scenarios if scenario.passed and not scenario.skipped]
    record_property("shown", f"MCP conformance, SEP-2640 client scenarios, through the gateway: {len(passed)}/4")
    assert [scenario.name for scenario in passed] == list(SKILLS), report.table()
    assert [scenario.name for scenario in report.scenarios if scenario.warned] == []
    assert [len(scenario.ran) for scenario in report.scenarios] == [1, 1, 1, 1], report.table()
