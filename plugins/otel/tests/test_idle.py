"""Without a receiver the plugin costs nothing: no hook is called, nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys

from structlog.testing import capture_logs

from routeiq_otel.config import OtelConfig
from routeiq_otel.plugin import Otel
from routeiq_sdk.testing import FakeGateway

HOOKS = {"record", "emit", "before_attempt", "stream_filter", "guard_response"}


def test_every_hook_on_the_road_is_idle_without_a_receiver() -> None:
    assert Otel(OtelConfig()).idle_hooks == HOOKS
    assert list(Otel(OtelConfig()).origins) == []


async def test_an_idle_plugin_says_so_once_and_starts_nothing() -> None:
    gateway, plugin = FakeGateway("otel"), Otel(OtelConfig())
    with capture_logs() as lines:
        await plugin.setup(gateway)
    await plugin.teardown()
    (line,) = lines
    assert line["event"] == "opentelemetry is idle"
    assert "endpoint" in line["reason"]
    assert gateway._tasks == {}


def test_hooks_are_idle_that_the_signals_do_not_need() -> None:
    endpoint = "http://127.0.0.1:4318"
    assert Otel(OtelConfig(endpoint=endpoint)).idle_hooks == HOOKS - {"record", "emit"}
    assert Otel(OtelConfig(exporters=("console",))).idle_hooks == HOOKS - {"record", "emit"}
    assert Otel(OtelConfig(propagate=True)).idle_hooks == HOOKS - {"before_attempt"}
    texts = OtelConfig.model_validate({"endpoint": endpoint, "messages": {"mode": "masked"}})
    assert Otel(texts).idle_hooks == {"before_attempt"}
    turned_off = texts.model_copy(update={"turn_off_message_logging": True})
    assert Otel(turned_off).idle_hooks == HOOKS - {"record", "emit"}


def test_an_idle_plugin_imports_nothing_heavy() -> None:
    program = """
import asyncio, sys
from routeiq_otel.plugin import Otel
from routeiq_otel.config import OtelConfig
asyncio.run(Otel(OtelConfig()).setup(None))
print([name for name in sys.modules if name.split(".")[0] in ("grpc", "opentelemetry", "google", "aiohttp")])
print([name for name in sys.modules if name.startswith("routeiq_otel.pipeline")])
"""
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip().splitlines()[-2:] == ["[]", "[]"]


def test_export_by_otlp_alone_imports_nothing_of_the_sdks() -> None:
    program = """
import asyncio, sys
from routeiq_otel.plugin import Otel
from routeiq_otel.config import OtelConfig
from routeiq_sdk.testing import FakeGateway, make_context, make_record
async def main(**config):
    plugin, gateway = Otel(OtelConfig(endpoint="http://127.0.0.1:4318", logs=True, **config)), FakeGateway("otel")
    await plugin.setup(gateway)
    plugin.record(make_context(), make_record())
    await plugin.teardown()
    assert [call for call in gateway.egress.calls if call.url.endswith("/v1/traces")]
    await gateway.aclose()
def theirs():
    return [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]
asyncio.run(main())
print(theirs())
asyncio.run(main(exporters=("otlp", "console")))
print("opentelemetry.sdk.trace" in theirs())
"""
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    found = [line for line in done.stdout.splitlines() if line in ("[]", "True")]
    assert found == ["[]", "True"]
