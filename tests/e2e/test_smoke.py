from __future__ import annotations

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row


async def test_a_plain_call_goes_through(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    status, headers, body = await gw.chat("fast")
    assert status == 200
    assert body["model"] == "fast"
    assert headers["x-routeiq-model"] == "fast"
    (record,) = await gw.recorded()
    assert record.status == 200
