"""P2: whatever is wrong with a newer artifact, a running gateway refuses it in one line and goes on with the old one,
also through a reload of its configuration, and takes a good one afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from routeiq_routing_ml.artifact.keys import SigningKey, generate
from routeiq_routing_ml.training.trainer import Trained
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .trained_routers import ARRAYS, CODE, MODELS, publish, router

FLIPS = 40
NOW = int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return router()


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return generate(tmp_path / "keys")


@pytest.fixture
async def running(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path, key: SigningKey, trained: Trained
) -> TestGateway:
    publish(tmp_path / "router", key, trained, version=NOW)
    own = {
        "artifact": str(tmp_path / "router"),
        "trusted_keys": [str(tmp_path / "keys" / "signing.pub")],
        "profile": "quality",
        "reload_seconds": 0.05,
    }
    block = {
        "virtual_models": {"auto": {"models": list(MODELS), "default_model": "small"}},
        "plugins": {"routing-ml": own},
    }
    rows = [openai_row(name, scripted_upstream.base_url, name) for name in MODELS]
    started = await gateway({"model_list": rows, "router_settings": {"num_retries": 0}, "routeiq": block})
    assert await chosen(started) == "large"
    return started


async def chosen(gateway: TestGateway) -> str:
    """The model that the router names; the default would be another one."""
    body = {"model": "auto", "messages": [{"role": "user", "content": CODE.format(7)}]}
    async with gateway.session.post("/routeiq/v1/route", json=body) as answer:
        assert answer.status == 200
        return str((await answer.json())["model"])


async def told(gateway: TestGateway) -> Any:
    async with gateway.session.get("/routeiq/v1/routers") as answer:
        return await answer.json()


async def until(gateway: TestGateway, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(60):
        while not holds(now := await told(gateway)):
            await asyncio.sleep(0.02)
        return now


def expired(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, key, trained, version=NOW + 1, expires=datetime.now(UTC) - timedelta(seconds=5))


def unknown_key(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, generate(folder.parent / "strange"), trained, version=NOW + 1)


def older(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, key, trained, version=NOW - 1)


def same_version(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, key, trained, version=NOW, expires=datetime.now(UTC) + timedelta(days=1))


def name_of_another_key(folder: Path, key: SigningKey, trained: Trained) -> None:
    strange = generate(folder.parent / "strange")
    publish(folder, strange, trained, version=NOW + 1)
    signature = folder / "manifest.sig"
    signature.write_text(signature.read_text().replace(strange.id, key.id))


def two_artifacts_mixed(folder: Path, key: SigningKey, trained: Trained) -> None:
    kept = (folder / "manifest.sig").read_bytes()
    publish(folder, key, trained, version=NOW + 1)
    (folder / "manifest.sig").write_bytes(kept)


def a_link_out(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, key, trained, version=NOW + 1)
    (folder / ARRAYS).rename(folder.parent / "elsewhere")
    (folder / ARRAYS).symlink_to(folder.parent / "elsewhere")


def cut(folder: Path, key: SigningKey, trained: Trained) -> None:
    publish(folder, key, trained, version=NOW + 1)
    os.truncate(folder / ARRAYS, (folder / ARRAYS).stat().st_size - 1)


HARMS = {
    expired: "expired at",
    unknown_key: "not trusted",
    older: "is older than",
    same_version: "was in use before with other content",
    name_of_another_key: "does not fit",
    two_artifacts_mixed: "does not fit",
    a_link_out: "a link in place of a file",
    cut: "where at most|not the file that was signed",
}


async def test_each_harm_is_refused_in_one_line_and_the_old_model_serves_on(
    running: TestGateway, tmp_path: Path, key: SigningKey, trained: Trained
) -> None:
    folder = tmp_path / "router"
    before = (await told(running))["routers"]["main"]
    for harm, says in HARMS.items():
        shutil.rmtree(tmp_path / "strange", ignore_errors=True)
        harm(folder, key, trained)
        now = await until(running, lambda told, says=says: any(w in str(told["problems"]) for w in says.split("|")))
        assert "\n" not in now["problems"]["main"]
        assert now["routers"]["main"] == before, harm.__name__
        assert await chosen(running) == "large"
    assert (await running.chat("auto", CODE.format(1)))[0] == 200
    await running.app.reload()
    assert (await told(running))["routers"]["main"] == before
    assert await chosen(running) == "large"
    publish(folder, key, trained, version=NOW + 2)
    now = await until(running, lambda told: not told["problems"])
    assert now["routers"]["main"]["version"] == NOW + 2


async def test_no_flipped_bit_of_any_file_gets_in(
    running: TestGateway, tmp_path: Path, key: SigningKey, trained: Trained
) -> None:
    folder = tmp_path / "router"
    before = (await told(running))["routers"]["main"]
    contents = publish(tmp_path / "newer", key, trained, version=NOW + 1)
    staging = tmp_path / "staging"
    rng = random.Random(3)
    for number in range(FLIPS):
        shutil.rmtree(folder)
        await until(running, lambda told: "no such folder" in told["problems"].get("main", ""))
        name = sorted(contents)[number % len(contents)]
        data = bytearray(contents[name])
        at = rng.randrange(8 * len(data))
        data[at // 8] ^= 1 << at % 8
        staging.mkdir()
        for other, content in contents.items():
            (staging / other).write_bytes(bytes(data) if other == name else content)
        staging.rename(folder)
        now = await until(running, lambda told: "no such folder" not in told["problems"].get("main", ""))
        assert now["problems"], (name, at)
        assert now["routers"]["main"] == before, (name, at)
    assert await chosen(running) == "large"


async def test_a_hostile_artifact_at_the_start_leaves_the_default_model(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path, key: SigningKey
) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "router").write_bytes(b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR.")
    own = {"artifact": str(tmp_path / "router"), "trusted_keys": [str(tmp_path / "keys" / "signing.pub")]}
    block = {
        "virtual_models": {"auto": {"models": list(MODELS), "default_model": "small"}},
        "plugins": {"routing-ml": own},
    }
    rows = [openai_row(name, scripted_upstream.base_url, name) for name in MODELS]
    started = await gateway({"model_list": rows, "routeiq": block})
    assert await chosen(started) == "small"
    assert "not a folder" in (await told(started))["problems"]["main"]
    assert not canary.exists()
