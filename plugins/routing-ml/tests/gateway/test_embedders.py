"""Routers on an embedder's vectors: asked off the event loop, with a deadline; hashing stands in when none comes."""

from __future__ import annotations

import pytest

from .gateway_cases import DIMENSIONS, explain, question

PLUGIN = f"""
from __future__ import annotations
import threading
from typing import Any
import numpy as np
from pydantic import Field
from routeiq_sdk import Plugin, PluginConfig, hookimpl

class Conf(PluginConfig):
    mood: str = Field("well", description="How it behaves.")

class Fixture(Plugin[Conf]):
    dimensions = {DIMENSIONS}
    calls: list[str] = []
    threads: set[int] = set()
    late = threading.Event()

    @property
    def fingerprint(self) -> str:
        return "fixture-2" if self.config.mood == "other" else "fixture-1"

    @hookimpl
    def register_embedders(self, embedders: Any) -> None:
        embedders.add_embedder("fixture", self)

    def embed(self, texts: Any) -> Any:
        Fixture.threads.add(threading.get_ident())
        Fixture.calls.extend(texts)
        if self.config.mood == "late":
            self.late.wait(20)
        if self.config.mood == "broken":
            raise RuntimeError("weights are gone")
        if self.config.mood == "nan":
            return np.full((len(texts), {DIMENSIONS}), np.nan)
        rows = []
        for text in texts:
            row = np.full({DIMENSIONS}, 0.1, np.float32)
            row[0 if "story" in text else 1 if "Python" in text else 2] = 1.0
            rows.append(row)
        return np.array(rows)
"""


@pytest.fixture
def embedding_gateway(serve, publish, embedded_trained, trained, plugin_folder):
    async def start(mood: str = "well", **own):
        plugin_folder.install("fixture", PLUGIN, kind="embedder")
        folder = publish(embedded_trained, embedder="fixture", plain=trained)
        plugins = {"fixture": {"mood": mood}} if mood != "absent" else {}
        return await serve(plugins=plugins, artifact=str(folder), profile="quality", **own)

    return start


async def test_the_embedders_vector_decides_and_is_kept_for_the_next_time(embedding_gateway) -> None:
    import sys
    import threading

    gateway = await embedding_gateway()
    for _ in range(3):
        told = await explain(gateway, question("math"))
        assert told["model"] == "sage"
        assert "stand_in" not in told["decision"]["attributes"]
    fixture = sys.modules["fixture_fixture"].Fixture
    assert fixture.calls == [question("math")]
    assert threading.get_ident() not in fixture.threads


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("late", "longer than 0.05 s"),
        ("broken", "failed: RuntimeError"),
        ("nan", "no finite vector"),
        ("absent", "no loaded plugin offers"),
        ("other", "another version"),
    ],
)
async def test_hashing_stands_in_for_an_embedder_that_does_not_deliver(embedding_gateway, mood: str, why: str) -> None:
    gateway = await embedding_gateway(mood, embed_seconds=0.05)
    told = await explain(gateway, question("code"))
    assert told["model"] == "coder"
    assert why in told["decision"]["attributes"]["stand_in"]
    if mood == "late":
        import sys

        sys.modules["fixture_fixture"].Fixture.late.set()


async def test_an_embedder_that_is_behind_is_not_queued_for_without_end(embedding_gateway) -> None:
    import asyncio
    import sys

    gateway = await embedding_gateway("late", embed_seconds=0.3)
    told = await asyncio.gather(*(explain(gateway, question("code", number)) for number in range(40)))
    reasons = [answer["decision"]["attributes"]["stand_in"] for answer in told]
    assert {answer["model"] for answer in told} == {"coder"}
    assert any("busy" in reason for reason in reasons)
    sys.modules["fixture_fixture"].Fixture.late.set()
