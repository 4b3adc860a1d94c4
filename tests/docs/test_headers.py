"""The page of headers says what answers carry: no more, no less."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pages import DOCS

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

_OURS = re.compile(r"x-(?:routeiq|litellm)-[a-z-]+")
PAGE = (DOCS / "reference" / "headers.md").read_text(encoding="utf-8")
_, EVERY, SERVED, _ = PAGE.split("\n## ")


def documented(section: str) -> set[str]:
    return {match[1] for match in re.finditer(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) if _OURS.match(match[1])}


def ours(headers: Iterable[str]) -> set[str]:
    return {name.lower() for name in headers if _OURS.fullmatch(name.lower())}


async def test_an_answer_carries_the_documented_headers(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    price: dict[str, Any] = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    row = openai_row("fast", scripted_upstream.base_url, region_name="eu", **price)
    virtual = {"auto": {"models": ["fast"]}}
    running = await gateway({"model_list": [row], "routeiq": {"virtual_models": virtual}})
    status, headers, _ = await running.chat("auto")
    assert status == 200
    assert ours(headers) == documented(EVERY) | documented(SERVED)


async def test_a_refusal_carries_those_of_every_answer(gateway: StartGateway) -> None:
    running = await gateway({})
    status, headers, _ = await running.chat("nobody")
    assert status == 400
    assert documented(EVERY) <= ours(headers)
    assert ours(headers) <= documented(EVERY) | documented(SERVED)
