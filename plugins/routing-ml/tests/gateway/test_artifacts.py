"""Artifacts in a serving gateway: swapped while requests run, refused when they are not to be trusted, never a 5xx."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from .gateway_cases import explain, question


async def routers(gateway: Any) -> Any:
    async with gateway.session.get("/routeiq/v1/routers") as response:
        assert response.status == 200
        return await response.json()


async def until(gateway: Any, holds: Any) -> Any:
    async with asyncio.timeout(20):
        while True:
            told = await routers(gateway)
            if holds(told):
                return told
            await asyncio.sleep(0.02)


async def test_a_newer_artifact_is_swapped_in_and_no_decision_fails(serve, publish, trained, reversed_trained) -> None:
    folder = publish(trained)
    gateway = await serve(artifact=str(folder), profile="quality", reload_seconds=0.05)
    first = (await routers(gateway))["routers"]["main"]
    chosen: set[str] = set()
    stop = asyncio.Event()

    async def ask() -> int:
        asked = 0
        while not stop.is_set():
            chosen.add((await explain(gateway, question("math", asked)))["model"])
            asked += 1
        return asked

    asking = [asyncio.ensure_future(ask()) for _ in range(4)]
    async with asyncio.timeout(20):
        while "sage" not in chosen:
            await asyncio.sleep(0.01)
        publish(reversed_trained)
        while "coder" not in chosen:
            await asyncio.sleep(0.01)
    stop.set()
    assert sum(await asyncio.gather(*asking)) > 10
    told = await routers(gateway)
    assert told["problems"] == {}
    assert told["routers"]["main"]["version"] > first["version"]
    assert chosen == {"sage", "coder"}


async def test_an_artifact_of_a_strange_key_leaves_the_default_model_and_says_why(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained, stranger=True)))
    told = await explain(gateway, question("math"))
    assert (told["model"], told["decision"]["strategy"]) == ("chatty", "static")
    assert "key" in (await routers(gateway))["problems"]["main"]
    async with gateway.session.get("/health/readiness") as response:
        assert response.status == 200
        assert "key" in str(await response.json())
    assert (await gateway.chat("auto", question("math")))[0] == 200


async def test_no_artifact_yet_leaves_the_default_model_until_there_is_one(serve, publish, trained, tmp_path) -> None:
    gateway = await serve(artifact=str(tmp_path / "router"), profile="quality", reload_seconds=0.05)
    assert (await explain(gateway, question("math")))["model"] == "chatty"
    publish(trained)
    await until(gateway, lambda told: "main" in told["routers"])
    assert (await explain(gateway, question("math")))["model"] == "sage"


@pytest.mark.parametrize("harm", ["flip", "truncate", "pickle", "delete", "older"])
async def test_what_is_wrong_with_a_newer_artifact_keeps_the_last_good_one(
    serve, publish, trained, reversed_trained, tmp_path: Path, harm: str
) -> None:
    older = publish(reversed_trained, "older")
    folder = publish(trained)
    gateway = await serve(artifact=str(folder), profile="quality", reload_seconds=0.05)
    arrays = folder / "arrays.safetensors"
    if harm == "flip":
        data = bytearray(arrays.read_bytes())
        data[len(data) // 2] ^= 1
        arrays.write_bytes(data)
    elif harm == "truncate":
        arrays.write_bytes(arrays.read_bytes()[:-1])
    elif harm == "pickle":
        (folder / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    elif harm == "delete":
        shutil.rmtree(folder)
    else:
        shutil.rmtree(folder)
        shutil.copytree(older, folder)
    if harm in ("flip", "truncate", "pickle"):
        manifest = folder / "manifest.json"
        manifest.touch()  # a look is taken when the manifest changes
    told = await until(gateway, lambda told: told["problems"])
    assert told["routers"]["main"]["strategy"] == "knn"
    assert (await explain(gateway, question("math")))["model"] == "sage"
    assert not (Path.cwd() / "owned").exists()


async def test_a_reload_of_the_gateway_keeps_the_router(serve, publish, trained) -> None:
    gateway = await serve(artifact=str(publish(trained)), profile="quality")
    await gateway.app.reload()
    assert (await explain(gateway, question("math")))["model"] == "sage"
