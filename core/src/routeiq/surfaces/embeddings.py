"""OpenAI embeddings.

They do not stream and are never translated to chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq.errors import Errors
from routeiq.surfaces.chat import ChatSurface
from routeiq.wires import usage as usages
from routeiq.wires.body import Raw
from routeiq_sdk import Usage


class EmbeddingSurface(ChatSurface):
    """`POST /v1/embeddings`."""

    name = "embeddings"
    wire = "openai-embedding"

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """`input` must be there."""
        value = fields.get("input")
        if value is None:
            raise errors.missing("input")
        if bytes(value)[:1] not in (b'"', b"["):
            raise errors.wrong_type("input", "a string or a list")

    def usage(self, value: Any) -> Usage | None:
        """Input tokens only."""
        return usages.from_embeddings(value)
