"""The plugin: offers the embedder `minilm` to strategies, and opens it before the gateway serves.

How vectors are made is `embedder`'s business.
"""

from __future__ import annotations

from typing import cast

from routeiq_embed_minilm.config import MiniLMConfig
from routeiq_embed_minilm.embedder import MiniLM
from routeiq_sdk import Embedder, Gateway, Need, Plugin, hookimpl
from routeiq_sdk.gateway import Embedders

EMBEDDER = "minilm"


class EmbedMiniLM(Plugin[MiniLMConfig]):
    """Offers `minilm`. Without a gateway it works too: the embedder opens itself when it is first asked.

    A missing or damaged file stops the start: `setup` opens the network, in a thread.
    """

    needs = frozenset({Need.OFFLOAD})

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__(config)
        self.embedder = MiniLM(config)

    @hookimpl
    def register_embedders(self, embedders: Embedders) -> None:
        # An array is no `Sequence` by name, but the protocol's text allows it.
        embedders.add_embedder(EMBEDDER, cast(Embedder, self.embedder))

    @hookimpl
    def setup(self, gateway: Gateway) -> None:
        self.embedder.open()

    @hookimpl
    async def teardown(self) -> None:
        self.embedder.close()
