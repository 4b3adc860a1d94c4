"""What every embedder promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_embed_minilm import EmbedMiniLM
from routeiq_sdk.testing import EmbedderContract


class TestEmbedMiniLM(EmbedderContract):
    plugin = EmbedMiniLM
    name = "embed-minilm"
    embedder = "minilm"


class TestEmbedMiniLMInSmallBatchesWithoutACache(TestEmbedMiniLM):
    config = {"batch": 2, "cache": 0, "threads": 2, "max_tokens": 64}
