"""The contract of embedders.

Whether vectors of like texts are close is measured by evaluation, not here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from routeiq_sdk.errors import PluginError
from routeiq_sdk.gateway import Embedder
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running


class OfferedEmbedders:
    """Takes what a `register_embedders` hook offers."""

    def __init__(self) -> None:
        self.by_name: dict[str, Embedder] = {}

    def add_embedder(self, name: str, embedder: Embedder) -> None:
        """Take an embedder."""
        if name in self.by_name:
            raise PluginError(name, "two embedders of this name are offered.")
        self.by_name[name] = embedder


class EmbedderContract(PluginContract):
    """What an embedder promises: finite vectors of one length, the same for a text alone, in a batch and in any thread.

    Vectors are asked of the embedder called `embedder` that `register_embedders` offers.
    """

    group: ClassVar[str] = "routeiq.embedders"
    embedder: ClassVar[str]
    """The name under which it is offered."""
    texts: ClassVar[Sequence[str]] = (
        "Hello!",
        "Write a Python function that merges two sorted lists.",
        "Übersetze: the cat sat on the mat. 猫がマットの上に座った。",
        "",
        " \n\t",
        "a\x00b\ud800",
        "word " * 5000,
    )
    """Texts to embed, hostile ones among them."""
    tolerance: ClassVar[float] = 1e-4
    """Largest difference of a component between a text alone and in a batch."""

    def vectors(self, *batches: Sequence[str]) -> list[list[list[float]]]:
        """What a fresh instance makes of each batch."""

        async def ask() -> list[list[list[float]]]:
            async with running(self.make(), self.make_gateway()) as plugin:
                offered = OfferedEmbedders()
                await call_hook(plugin, "register_embedders", offered)
                embedder = offered.by_name[self.embedder]
                assert embedder.fingerprint, "a fingerprint names what made a vector"
                self.dimensions = embedder.dimensions
                with ThreadPoolExecutor(4) as threads:
                    made = list(threads.map(embedder.embed, batches))
                return [[[float(value) for value in vector] for vector in batch] for batch in made]

        return asyncio.run(ask())

    def test_every_text_gets_a_finite_vector_of_its_length(self) -> None:
        (batch,) = self.vectors(self.texts)
        assert len(batch) == len(self.texts)
        assert {len(vector) for vector in batch} == {self.dimensions}
        assert all(math.isfinite(value) for vector in batch for value in vector)

    def test_no_text_at_all_gives_no_vector(self) -> None:
        assert self.vectors([]) == [[]]

    def test_a_text_gets_the_same_vector_alone_in_a_batch_and_in_any_thread(self) -> None:
        together, *alone = self.vectors(self.texts, *([text] for text in self.texts))
        for one, (other,) in zip(together, alone, strict=True):
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= self.tolerance

    def test_different_texts_get_different_vectors(self) -> None:
        (batch,) = self.vectors(self.texts[:2])
        assert batch[0] != batch[1]

    def test_two_instances_agree_on_the_fingerprint(self) -> None:
        assert self.fingerprint() == self.fingerprint()

    def fingerprint(self) -> str:
        """The fingerprint of a fresh instance."""

        async def ask() -> str:
            async with running(self.make(), self.make_gateway()) as plugin:
                offered = OfferedEmbedders()
                await call_hook(plugin, "register_embedders", offered)
                return offered.by_name[self.embedder].fingerprint

        return asyncio.run(ask())
