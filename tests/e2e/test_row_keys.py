"""Keys of a row that speak to the gateway stay with it; the others reach the provider as written."""

from __future__ import annotations

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

ROW = {
    "temperature": 0.25,
    "cache_creation_input_token_cost_above_1hr": 0.000001,
    "input_cost_per_token_above_200k_tokens": 0.000001,
    "caching": True,
    "max_retries": 0,
    "region_name": "eu",
    "aws_region_name": "eu-central-1",
}


@pytest.mark.parametrize("key", [name for name in ROW if name != "temperature"])
async def test_a_key_for_the_gateway_never_reaches_a_native_provider(
    gateway, scripted_upstream: ScriptedUpstream, key: str
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url, **ROW)]})
    assert (await gw.chat("fast"))[0] == 200
    sent = scripted_upstream.requests[0].json
    assert key not in sent
    assert sent["temperature"] == 0.25
