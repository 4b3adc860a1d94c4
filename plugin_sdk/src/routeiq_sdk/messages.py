"""What a sink may keep of prompts and answers: nothing, unless the operator says so; less, when a key or team says so.

Where the text goes is the sink's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from routeiq_sdk.context import Context
from routeiq_sdk.plugin import PluginConfig
from routeiq_sdk.values.verdict import Stop

Mode = Literal["off", "masked", "full"]
_ORDER: Sequence[Mode] = ("off", "masked", "full")
_REDACT_HEADERS = ("x-litellm-enable-message-redaction", "litellm-enable-message-redaction")
_MASK = "[masked]"
_SECRETS = (
    r"\b(?:sk|pk|rk|xai|gsk|AIza|ghp|gho|hf|xox[abp]|AKIA|ASIA)[-_A-Za-z0-9]{10,}",
    r"\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{8,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b",
    r"\b\d(?:[ -]?\d){12,18}\b",
)


class MessageLogging(PluginConfig):
    """What of prompts and answers a sink may keep. Put it into the sink's configuration as `messages`."""

    mode: Mode = Field(
        "off", description="off keeps no text, masked keeps it with secrets and addresses masked, full keeps it."
    )
    overrides: bool = Field(
        False,
        description="Whether metadata of keys and teams (`message_logging`) may keep more than `mode`; less is "
        "always allowed.",
    )
    mask: tuple[str, ...] = Field((), description="Regular expressions whose matches are masked too.")
    max_chars: int = Field(100_000, ge=1, description="Longest text kept of one prompt or answer.")

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, written: Any) -> Any:
        return "off" if written is False else written  # YAML reads a bare `off` as false

    @field_validator("mask")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


class Messages:
    """Keeps the texts of requests for one sink, as its configuration, the key and the team allow.

    The sink's `stream_filter` and `guard_response` hooks hand answers to it (declare them idle while `never`), its
    `record` hook asks for `prompt` and `answer`.
    """

    def __init__(self, config: MessageLogging, *, turned_off: bool = False) -> None:
        self._mode: Mode = "off" if turned_off else config.mode
        self._overrides = config.overrides and not turned_off
        self._patterns = [re.compile(pattern) for pattern in (*_SECRETS, *config.mask)]
        self._most = config.max_chars

    @property
    def never(self) -> bool:
        """Whether no request can have text kept, so that the hooks which would keep it may be idle."""
        return self._mode == "off" and not self._overrides

    def mode(self, ctx: Context) -> Mode:
        """What may be kept of this request: the operator's mode, or less when the caller or its key and team say so."""
        mode = self._mode
        principal = ctx.identified
        attributes = principal.attributes if principal is not None else {}
        may_rise = self._overrides
        for name in ("team_metadata", "metadata"):  # a key cannot undo what its team does without
            told = attributes.get(name)
            if not isinstance(told, Mapping):
                continue
            wanted = next((known for known in _ORDER if known == told.get("message_logging")), None)
            if told.get("message_logging") is False or told.get("turn_off_message_logging") is True:
                wanted = "off"
            if wanted is not None and (may_rise or _ORDER.index(wanted) < _ORDER.index(mode)):
                may_rise = may_rise and _ORDER.index(wanted) >= _ORDER.index(mode)
                mode = wanted
        if any((ctx.headers.get(name) or "").lower() == "true" for name in _REDACT_HEADERS):
            mode = "off"
        return mode

    def watch_stream(self, ctx: Context) -> KeptText | None:
        """A filter that lets everything pass and remembers it; `None` when nothing may be kept."""
        if self.mode(ctx) == "off":
            return None
        kept = ctx.kept(self, KeptText)  # a stream with several texts asks for a filter for each
        if kept is None:
            kept = KeptText(self._most)
            ctx.keep(self, kept)
        return kept

    def keep_answer(self, ctx: Context, body: Mapping[str, Any]) -> None:
        """Remember a whole answer, if it may be kept."""
        if self.mode(ctx) != "off":
            ctx.keep(self, KeptAnswer(body))

    def prompt(self, ctx: Context) -> Any:
        """The request's messages (or input, or prompt) as JSON data; `None` when nothing may be kept."""
        mode = self.mode(ctx)
        asked = ctx.asked
        if mode == "off" or asked is None:
            return None
        body = asked.json()
        told = {name: body[name] for name in ("system", "messages", "input", "prompt", "tools") if name in body}
        return self._shown(ctx, told if len(told) > 1 else next(iter(told.values()), None), mode)

    def answer(self, ctx: Context) -> Any:
        """The answer: its JSON body, or the text of a stream; `None` when nothing may be kept or nothing came."""
        mode = self.mode(ctx)
        if mode == "off":
            return None
        text = ctx.kept(self, KeptText)
        if text is not None:
            return self._shown(ctx, text.text(), mode)
        whole = ctx.kept(self, KeptAnswer)
        return self._shown(ctx, dict(whole.body), mode) if whole is not None else None

    def _shown(self, ctx: Context, value: Any, mode: Mode) -> Any:
        if isinstance(value, str):
            for redact in ctx.redactors:
                value = redact(value)
            text = value if len(value) <= self._most else value[: self._most] + "[cut]"
            if mode == "masked":
                for pattern in self._patterns:
                    text = pattern.sub(_MASK, text)
            return text
        if isinstance(value, Mapping):
            return {str(name): self._shown(ctx, each, mode) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._shown(ctx, each, mode) for each in value]
        return value


class KeptAnswer:
    """A whole answer of one request."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body


class KeptText:
    """A stream filter that remembers what passes, up to a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, delta: str) -> list[str] | Stop:
        """Remember a piece and let it pass."""
        if self._length < self._most:
            self._pieces.append(delta)
            self._length += len(delta)
        return [delta]

    def end(self) -> list[str] | Stop:
        """Nothing was held back."""
        return []

    def text(self) -> str:
        """What passed."""
        return "".join(self._pieces)
