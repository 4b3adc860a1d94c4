"""`routeiq serve` as processes: one line when it listens, signals, exit codes, workers, and nothing heavy at start."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.installed import PluginFolder

GUARDRAIL = "guardrails: [{guardrail_name: a, litellm_params: {guardrail: aporia}}]"
HEAVY = {"litellm", "sklearn", "joblib", "redis", "sqlalchemy", "numpy", "pandas", "torch"}
_OPTIONAL = {
    "greenlet",
    "uvloop",
    "httptools",
    "colorama",
    "sniffio",
    "python_multipart",
}  # used by others where they happen to be installed
GOLDEN = Path(__file__).parent / "golden" / "imported_at_start.txt"


async def chat(url: str, key: str, model: str = "fast", text: str = "hello") -> tuple[int, dict]:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/chat/completions", json=body, headers=headers) as r,
    ):
        return r.status, await r.json()


async def test_it_says_one_line_serves_and_ends_with_zero_at_sigterm(
    cli, minimal: str, key: str, scripted_upstream: ScriptedUpstream
) -> None:
    path = cli.write(minimal.format(base_url=scripted_upstream.base_url))
    async with cli.serve("--config", str(path)) as serving:
        url = await serving.url()
        assert len([line for line in serving.lines if "listening" in line]) == 1
        status, body = await chat(url, key)
        assert (status, body["model"]) == (200, "fast")
        assert (await chat(url, "sk-wrong-key-entirely"))[0] == 401
        serving.signal(signal.SIGTERM)
        assert await serving.ended() == 0
    said = "\n".join(serving.lines)
    assert key not in said
    assert "sk-upstream-secret" not in said
    logged = [json.loads(line) for line in serving.lines if line.startswith("{")]
    requests = [line for line in logged if line["event"] == "request"]
    assert [line["status"] for line in requests] == [200, 401]
    assert requests[0]["deployment"]


async def test_a_stream_finishes_after_sigterm(
    cli, minimal: str, key: str, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.script(Reply.stream([f"{n} " for n in range(10)], gap=0.05))
    path = cli.write(minimal.format(base_url=scripted_upstream.base_url))
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with cli.serve("--config", str(path), "--json") as serving:
        announced = json.loads(await serving.line("listening"))
        url = announced["listening"]
        async with (
            aiohttp.ClientSession(url, headers={"authorization": f"Bearer {key}"}) as client,
            client.post("/v1/chat/completions", json=body) as response,
        ):
            await response.content.readuntil(b"\n\n")
            serving.signal(signal.SIGTERM)
            rest = await response.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        assert await serving.ended() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("model: openai/scripted", "model: 7"), r"routeiq\.yaml:4: .*model"),
        (("os.environ/ROUTEIQ_MASTER_KEY", "os.environ/NOBODY_SET_THIS"), r"routeiq\.yaml:8: .*NOBODY_SET_THIS"),
        (("os.environ/ROUTEIQ_MASTER_KEY", "sk-1234"), r"routeiq\.yaml:8: general_settings\.master_key is weak"),
        (("  master_key: os.environ/ROUTEIQ_MASTER_KEY", "  {}"), r"master_key is missing"),
        (("profile: minimal", "profile: minimal\n  plugins: {nobody-has-this: {}}"), r"nobody-has-this"),
        (("model_list:", "model_list: ["), r"routeiq\.yaml:\d+"),
        (("general_settings:", f"{GUARDRAIL}\ngeneral_settings:"), r"guardrail"),
    ],
    ids=["bad value", "missing variable", "weak key", "no key", "missing plugin", "no yaml", "protective key"],
)  # fmt: skip
async def test_a_bad_configuration_is_one_clear_message_and_code_78(
    cli, minimal: str, change: tuple[str, str], said: str
) -> None:
    path = cli.write(minimal.format(base_url="http://127.0.0.1:9/v1").replace(*change))
    async with cli.serve("--config", str(path)) as serving:
        assert await serving.ended() == 78
    text = "\n".join(serving.lines)
    assert re.search(said, text), text
    assert "Traceback" not in text
    assert "listening" not in text
    assert len([line for line in serving.lines if line.startswith("routeiq:")]) == 1


async def test_a_weak_key_is_accepted_on_loopback_alone_when_the_operator_says_so(
    cli, minimal: str, scripted_upstream: ScriptedUpstream
) -> None:
    text = minimal.format(base_url=scripted_upstream.base_url).replace("os.environ/ROUTEIQ_MASTER_KEY", "sk-1234")
    path = cli.write(text + "  server: {allow_weak_master_key: true}\n")
    async with cli.serve("--config", str(path)) as serving:
        assert (await chat(await serving.url(), "sk-1234"))[0] == 200
        serving.signal(signal.SIGTERM)
        assert await serving.ended() == 0
    async with cli.serve("--config", str(path), "--host", "0.0.0.0") as serving:
        assert await serving.ended() == 78
    assert "loopback" in "\n".join(serving.lines)


async def test_sighup_reloads_every_worker_and_a_bad_file_none(
    cli, minimal: str, key: str, scripted_upstream: ScriptedUpstream
) -> None:
    text = minimal.format(base_url=scripted_upstream.base_url)
    path = cli.write(text)
    async with cli.serve("--config", str(path), "--workers", "2") as serving:
        url = await serving.url()

        async def statuses(model: str) -> set[int]:
            """Fresh connections, so that both workers are asked."""
            return {(await chat(url, key, model))[0] for _ in range(12)}

        assert await statuses("fast") == {200}
        cli.write(text.replace("model_name: fast", "model_name: [1]"))
        serving.signal(signal.SIGHUP)
        await serving.line("model_name")
        assert await statuses("fast") == {200}
        cli.write(text.replace("model_name: fast", "model_name: renamed"))
        serving.signal(signal.SIGHUP)
        for _ in range(2):
            await serving.line("reloaded")
        assert await statuses("renamed") == {200}
        assert await statuses("fast") == {400}
        serving.signal(signal.SIGTERM)
        assert await serving.ended() == 0


LEAKY = """
from __future__ import annotations
from typing import Any
from pydantic import Field
from routeiq_sdk import *

class Conf(PluginConfig):
    token: Secret = Field(description="A secret of the plugin's own.")

class Fixture(Plugin[Conf]):
    @hookimpl
    async def authenticate(self, ctx: Context) -> Any:
        told = ctx.headers.get("authorization") or ""
        if "opaque-caller-token" in told:
            raise ValueError(f"cannot decode {told} with {self.config.token}")
        return None

    @hookimpl
    async def guard_request(self, ctx: Context) -> Any:
        if ctx.request.text() == "break":
            raise ValueError(f"provider key sk-live-0123456789abcdef refused, config {self.config!r}")
        return None
"""


async def test_secrets_of_a_request_and_of_a_plugin_stay_out_of_log_answer_and_status(
    cli, minimal: str, key: str, scripted_upstream: ScriptedUpstream
) -> None:
    with PluginFolder(cli.folder / "site") as site:
        site.install("leaky", LEAKY)
        cli.env |= {"PYTHONPATH": str(site.folder), "LEAKY_TOKEN": "plugin-secret-77c1d0"}
        text = minimal.format(base_url=scripted_upstream.base_url)
        text += "  logs: {level: debug, format: json}\n  plugins: {leaky: {token: os.environ/LEAKY_TOKEN}}\n"
        path = cli.write(text)
        async with cli.serve("--config", str(path)) as serving:
            url = await serving.url()
            answers = [
                await chat(url, "opaque-caller-token-5512"),
                await chat(url, key, text="break"),
                await chat(url, key),
            ]
            headers = {"authorization": f"Bearer {key}"}
            async with (
                aiohttp.ClientSession(url, headers=headers) as client,
                client.get("/routeiq/v1/status") as response,
            ):
                answers.append((response.status, await response.json()))
            serving.signal(signal.SIGTERM)
            assert await serving.ended() == 0
    assert [status for status, _ in answers] == [503, 503, 200, 200]
    shown = "\n".join(serving.lines) + json.dumps([body for _, body in answers])
    failures = [line for line in serving.lines if '"plugin failed"' in line]
    assert len(failures) == 2
    for secret in (
        "opaque-caller-token-5512", "plugin-secret-77c1d0", "sk-live-0123456789abcdef", "sk-upstream-secret", key
    ):  # fmt: skip
        assert secret not in shown
    assert "cannot decode" in shown, "the failure itself is told"


async def test_the_start_imports_nothing_heavy_and_no_package_that_is_not_in_the_snapshot(
    cli, minimal: str, scripted_upstream: ScriptedUpstream
) -> None:
    """The snapshot names the third-party packages a start of `minimal` costs. A new one is a decision: write it in."""
    path = cli.write(minimal.format(base_url=scripted_upstream.base_url))
    async with cli.serve("--config", str(path), python=("-X", "importtime", "-m", "routeiq")) as serving:
        await serving.url()
        serving.signal(signal.SIGTERM)
        assert await serving.ended() == 0
    names = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in serving.lines if line.startswith("import time:")
    }
    packages = {
        name
        for name in names - sys.stdlib_module_names - {"package", "imported package", "routeiq", "routeiq_sdk"}
        if not name.startswith("_") and find_spec(name) is not None
    }
    assert packages, "the interpreter told its imports"
    assert not packages & HEAVY
    snapshot = set(GOLDEN.read_text(encoding="utf-8").split())
    assert packages - _OPTIONAL == snapshot - _OPTIONAL


async def test_two_workers_share_one_port_and_end_together(
    cli, minimal: str, key: str, scripted_upstream: ScriptedUpstream
) -> None:
    path = cli.write(minimal.format(base_url=scripted_upstream.base_url))
    async with cli.serve("--config", str(path), "--workers", "2") as serving:
        url = await serving.url()
        seen: set[int] = set()
        headers = {"authorization": f"Bearer {key}", "connection": "close"}
        async with asyncio.timeout(20):
            while len(seen) < 2:
                async with (
                    aiohttp.ClientSession() as client,
                    client.get(f"{url}/routeiq/v1/status", headers=headers) as response,
                ):
                    seen.add((await response.json())["worker"])
        assert seen == {0, 1}
        serving.signal(signal.SIGTERM)
        assert await serving.ended() == 0
