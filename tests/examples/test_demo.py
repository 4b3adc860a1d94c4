"""The demo: what it shows adds up, it serves on until told to stop, and one line of its YAML swaps the strategy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from example_runs import EXAMPLES, ROOT, end, run

from routeiq_testkit import MODELS
from routeiq_testkit.installed import PluginFolder

DEMO = EXAMPLES / "demo.py"
CONFIG = EXAMPLES / "demo.yaml"
ALWAYS_SAGE = """
    from routeiq_sdk import Candidate, Decision, Plugin, PluginConfig, hookimpl

    class Fixture(Plugin[PluginConfig]):
        @hookimpl
        async def select_model(self, ctx, groups):
            return Decision("always-sage", (Candidate("sim-sage", 1.0),), "a test says so")
"""
_SECONDS = 60.0


def command(folder: Path, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(DEMO), "--here", "--folder", str(folder), *arguments)


async def summary(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """The JSON of a whole run, with nothing else on stdout."""
    process = await asyncio.create_subprocess_exec(
        *command(folder, "--once", "--json", *arguments),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out)
    return told


async def test_the_summary_adds_up(tmp_path: Path) -> None:
    told = await summary(tmp_path, "--questions", "14")
    assert told["simulated"] is True
    assert told["questions"] == sum(model["questions"] for model in told["models"]) == 14
    assert told["answered_well"] == sum(model["answered_well"] for model in told["models"])
    assert Decimal(told["cost_usd"]) == sum(Decimal(model["cost_usd"]) for model in told["models"])
    assert told["strategies"] == ["routing-rules"]
    assert len(told["models"]) > 2
    dearest = told["always_dearest"]
    assert dearest["model"] == "sim-sage"
    assert told["saved"] == pytest.approx(1 - float(Decimal(told["cost_usd"]) / Decimal(dearest["cost_usd"])), abs=1e-4)
    assert 0 < told["saved"] < 1


async def test_one_line_of_the_yaml_swaps_the_strategy(tmp_path: Path) -> None:
    with PluginFolder(tmp_path / "site") as plugins:
        plugins.install("always-sage", ALWAYS_SAGE, kind="strategy")
    text = CONFIG.read_text(encoding="utf-8")
    swapped = text.replace("# my-strategy: {}", "always-sage: {}")
    assert swapped != text
    config = tmp_path / "demo.yaml"
    config.write_text(swapped, encoding="utf-8")
    told = await summary(tmp_path, "--questions", "3", "--config", str(config), PYTHONPATH=str(tmp_path / "site"))
    assert told["strategies"] == ["always-sage"]
    assert [model["model"] for model in told["models"]] == ["sim-sage"]
    assert told["saved"] == 0.0


def test_the_yaml_has_the_simulated_models_and_their_prices() -> None:
    written = {
        row["model_name"]: tuple(row["litellm_params"][f"{side}_cost_per_token"] for side in ("input", "output"))
        for row in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["model_list"]
    }
    assert written == {
        model.name: (
            pytest.approx(model.input_usd_per_mtok / 10**6),
            pytest.approx(model.output_usd_per_mtok / 10**6),
        )
        for model in MODELS
    }


async def test_without_a_terminal_it_prints_plain_lines(tmp_path: Path) -> None:
    code, told = await run(*command(tmp_path, "--once", "--questions", "5"), seconds=_SECONDS)
    assert code == 0, told
    assert "\x1b" not in told
    assert "\r" not in told
    assert "simulated" in told.split("question", 1)[0], "the label comes before the table"
    rows = [line for line in told.splitlines() if re.search(r" sim-\w+ .* \d\.\d{7} +\d+ ms  (good|poor)", line)]
    assert len(rows) == 5


@contextlib.asynccontextmanager
async def serving(folder: Path, questions: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The demo without `--once`."""
    process = await asyncio.create_subprocess_exec(
        *command(folder, "--questions", str(questions)), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        await end(process)


async def until(process: asyncio.subprocess.Process, wanted: str) -> str:
    """What it prints up to and with the line that holds `wanted`."""
    assert process.stdout is not None
    told = ""
    async with asyncio.timeout(_SECONDS):
        while wanted not in told:
            line = (await process.stdout.readline()).decode()
            assert line, f"it ended before {wanted!r}: {told}"
            told += line
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_curl_on_the_screen_works_until_it_is_told_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    async with serving(tmp_path, questions=2) as demo:
        told = await until(demo, "-d '")
        words = shlex.split(told[told.index("curl ") :])
        url = next(word for word in words if word.startswith("http://"))
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        data = words[words.index("-d") + 1]
        async with aiohttp.ClientSession() as session:
            async with session.post(url, headers=headers, data=data) as response:
                assert response.status == 200
                assert response.headers["x-routeiq-model"] == "sim-coder"
            demo.send_signal(number)
            async with asyncio.timeout(_SECONDS):
                assert await demo.wait() == 0
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.post(url, headers=headers, data=data)


async def test_ctrl_c_among_the_questions_ends_it_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, questions=200) as demo:
        await until(demo, " ms ")
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(_SECONDS):
            assert await demo.wait() == 130


async def test_a_configuration_that_does_not_start_is_shown_with_its_reason(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(CONFIG.read_text(encoding="utf-8").replace("default: sim-swift", "default: sim-swfit"))
    code, told = await run(*command(tmp_path, "--once", "--config", str(config)), seconds=_SECONDS)
    assert code == 1
    assert "the gateway did not start" in told
    assert "sim-swfit" in told


@pytest.mark.timeout(400)
async def test_a_bare_python_makes_its_own_environment_and_uses_it_again(tmp_path: Path) -> None:
    python = Path(sys.base_prefix) / "bin" / "python3"
    command = (python, DEMO, "--once", "--questions", "2", "--folder", tmp_path)
    bare = {"PYTHONPATH": "", "VIRTUAL_ENV": "", "PYTHONNOUSERSITE": "1"}
    first, told = await run(*command, environment=bare, seconds=300)
    assert first == 0, told
    assert "installed in" in told
    assert "of the cost saved" in told
    again, told = await run(*command, environment=bare, seconds=_SECONDS)
    assert again == 0, told
    assert "install" not in told
    assert not list(ROOT.glob("examples/**/*.egg-info"))


async def test_an_installation_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from live_demo import environment

    for name in environment.DISTRIBUTIONS:
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "pyproject.toml").write_text("this is no TOML")
    with pytest.raises(environment.Failed, match=r"(?s)TOML.*this failed: installing"):
        environment.prepare(tmp_path / "root", tmp_path / "demo")
    assert not (tmp_path / "demo" / "installed").exists()
