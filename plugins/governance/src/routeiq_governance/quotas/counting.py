"""How many tokens a prompt has at most, from its bytes: no tokenizer is asked, since providers differ in theirs.

What tokens cost, and what is held for them, is `estimate`'s business.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

_PLAIN = string.ascii_letters.encode() + b" "
_NOT_PLAIN = bytes(byte for byte in range(256) if byte not in _PLAIN)
_NOISE = re.compile(rb"[A-Za-z0-9]{20,}")
_TYPICAL_BYTES = 3

_FRAME_TOKENS = 64
_TOOL_TOKENS = 600
"""Providers put a prompt of their own before tools; the longest that is documented has about 530 tokens."""
_MESSAGE_TOKENS = 8
_SCALAR_BYTES = 24
_PARTS = {
    "image_url": 4096,
    "image": 4096,
    "input_image": 4096,
    "input_audio": 16_384,
    "file": 65_536,
    "input_file": 65_536,
    "document": 65_536,
    "video_url": 65_536,
}
"""What one part of this kind costs at most; its data is not counted as text."""
_DATA = frozenset({"data", "url", "file_data", "image_url", "file_id"})
_SAID_TO_THE_GATEWAY = frozenset(
    {"model", "metadata", "litellm_metadata", "user", "tags", "stream_options", "router_settings_override", "fallbacks"}
)


def text_bound(text: str) -> int:
    """Tokens of a text at most: 3 for 5 letters or spaces of ASCII, and one a byte of anything else and of runs of 20
    letters and digits or more (base64, hashes).

    Held against four tokenizers (two of OpenAI, Anthropic's, DeepSeek's), prose of several languages, code, JSON, CSV,
    base64 and random letters stay below it. Words made of the rarest pairs of letters can pass it.
    """
    data = text.encode("utf-8", "surrogatepass")
    plain = len(data.translate(None, _NOT_PLAIN))
    noise = 0
    if plain >= 20:
        noise = sum(len(run.translate(None, _NOT_PLAIN)) for run in _NOISE.findall(data))
    return len(data) - plain + -(-3 * (plain - noise) // 5) + noise


class Prompt:
    """What a body says to the model: its text, what is counted piece by piece, and whether it has tools."""

    __slots__ = ("messages", "other", "texts", "tools")

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.texts: list[str] = []
        self.other = 0
        messages = body.get("messages")
        self.messages = len(messages) if isinstance(messages, list) else 1
        self.tools = bool(body.get("tools") or body.get("functions"))
        for name, value in body.items():
            if name not in _SAID_TO_THE_GATEWAY:
                self._walk(value)

    def bound(self) -> int:
        """Tokens at most."""
        frame = _FRAME_TOKENS + _MESSAGE_TOKENS * self.messages + (_TOOL_TOKENS if self.tools else 0)
        return text_bound("\n".join(self.texts)) + self.other + frame

    def bytes_bound(self) -> int:
        """Tokens at most, whatever the text: one a byte."""
        frame = _FRAME_TOKENS + _MESSAGE_TOKENS * self.messages + (_TOOL_TOKENS if self.tools else 0)
        return sum(len(text.encode("utf-8", "surrogatepass")) + 1 for text in self.texts) + self.other + frame

    def typical(self) -> int:
        """Tokens as text usually has them."""
        return -(-sum(len(text.encode("utf-8", "surrogatepass")) for text in self.texts) // _TYPICAL_BYTES) + self.other

    def _walk(self, value: Any, name: str = "", *, part: bool = False) -> None:
        """`part` says that the value is inside an image, a sound or a file, whose data is no text."""
        if isinstance(value, str):
            if not (part and name in _DATA):
                self.texts.append(value)
        elif isinstance(value, Mapping):
            kind = value.get("type")
            bound = _PARTS.get(kind, 0) if isinstance(kind, str) and not part else 0
            self.other += bound
            inside = (part or bound > 0) and kind != "text"  # the data of a text source is text
            for inner_name, inner in value.items():
                self.texts.append(inner_name)
                self._walk(inner, inner_name, part=inside)
        elif isinstance(value, list):
            if value and isinstance(value[0], int):
                self.other += len(value)  # token ids
            else:
                for inner in value:
                    self._walk(inner, name, part=part)
        elif value is not None and not isinstance(value, bool):
            self.other += _SCALAR_BYTES
