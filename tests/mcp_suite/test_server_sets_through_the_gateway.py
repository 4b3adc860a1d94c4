"""Promise: clients of either era find in the gateway a server that conforms, whatever era the server behind it speaks.

The suite's checks really run: none is skipped, and there is no warning.
"""

from __future__ import annotations

import pytest

from .conformance import LEGACY, MODERN, Report, run_server_set
from .everything import everything_process
from .through_the_gateway import in_front_of

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them

BEYOND_A_LEGACY_SERVER = {
    "server-stateless": "it asks for a capability in mid-call, when the tool has begun; and of its lists, which the "
    "scenario changes by tools of modern servers, it tells nothing",
    "input-required-result-basic-elicitation": "its questions have no names that the scenario could know",
    "input-required-result-multiple-input-requests": "it asks one thing at a time",
}
"""Scored scenarios that a modern client cannot have of a legacy server through any bridge, with the reason of each."""


def assert_whole(report: Report) -> None:
    assert report.passed == report.scored, report.table()
    assert [scenario.name for scenario in report.scored if scenario.warned or not scenario.covered] == []


@pytest.mark.parametrize("eras", ["both", "modern"])
async def test_both_sets_hold(gateway, record_property, eras) -> None:
    async with everything_process(eras) as server:
        gw = await gateway(in_front_of({"everything": server}))
        for revision, count in ((LEGACY, "30/30"), (MODERN, "37/37")):
            report = await run_server_set(f"{gw.url}/suite/mcp", revision)
            told = f"server set {revision}, through the gateway, server of {eras} era{'s' * (eras == 'both')}"
            record_property("shown", f"MCP conformance, {told}: {report.count}")
            assert_whole(report)
            assert report.count == count


async def test_a_legacy_server_serves_both_but_for_what_it_cannot_know(gateway, record_property) -> None:
    async with everything_process("legacy") as server:
        gw = await gateway(in_front_of({"everything": server}))
        report = await run_server_set(f"{gw.url}/suite/mcp", LEGACY)
        assert_whole(report)
        report = await run_server_set(f"{gw.url}/suite/mcp", MODERN)
        record_property(
            "shown", f"MCP conformance, server set {MODERN}, through the gateway, server of legacy era: {report.count}"
        )
        assert {scenario.name for scenario in report.missed} == BEYOND_A_LEGACY_SERVER.keys(), report.table()
