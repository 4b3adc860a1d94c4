"""The sentence embedder `minilm`. The class is loaded by its entry point; import it from here in tests of your own.

What is done with the vectors is the strategies' business.
"""

from __future__ import annotations

from routeiq_embed_minilm.config import MiniLMConfig
from routeiq_embed_minilm.embedder import MiniLM
from routeiq_embed_minilm.plugin import EmbedMiniLM

__all__ = ["EmbedMiniLM", "MiniLM", "MiniLMConfig"]
