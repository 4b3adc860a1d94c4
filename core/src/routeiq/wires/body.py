"""The request as the client sent it, understood no deeper than needed.

Top-level fields stay raw JSON; a body is parsed whole only when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from routeiq.wires import text as texts

Raw = msgspec.Raw
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_VALUE = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

_Reader = Callable[[Mapping[str, Any]], str]
_TEXT: dict[str, tuple[_Reader, _Reader]] = {
    "openai-chat": (texts.chat_text, texts.chat_last_user_text),
    "openai-completion": (texts.completion_text, texts.completion_last_user_text),
    "openai-embedding": (texts.embedding_text, texts.embedding_last_user_text),
    "anthropic-messages": (texts.anthropic_text, texts.anthropic_last_user_text),
    "anthropic-count-tokens": (texts.anthropic_text, texts.anthropic_last_user_text),
}


class Malformed(ValueError):
    """The bytes are not a JSON object."""


class Body:
    """A request body on one client wire. Implements the SDK's `Request`.

    `model` is the name that is looked up, `shown` the one the client used and finds in its answer.
    """

    __slots__ = ("_json", "fields", "model", "shown", "stream", "wire")

    def __init__(
        self, wire: str, fields: dict[str, Raw], model: str, stream: bool, *, shown: str | None = None
    ) -> None:
        self.wire = wire
        self.fields = fields
        self.model = model
        self.shown = shown or model
        self.stream = stream
        self._json: dict[str, Any] | None = None

    def json(self) -> Mapping[str, Any]:
        """The whole body, parsed once."""
        if self._json is None:
            self._json = {name: value_of(value) for name, value in self.fields.items()}
        return self._json

    def text(self) -> str:
        """All text the model will read."""
        return _TEXT[self.wire][0](self.json())

    def last_user_text(self) -> str:
        """The newest text of the user."""
        return _TEXT[self.wire][1](self.json())

    def param(self, name: str, default: Any = None) -> Any:
        """One top-level field, parsed on its own."""
        if self._json is not None:
            return self._json.get(name, default)
        raw = self.fields.get(name)
        return default if raw is None else value_of(raw)

    def replaced(self, body: Mapping[str, Any]) -> Body:
        """This request with another body, as a guard wants it. The asked model stays what the client asked."""
        fields = {name: as_raw(value) for name, value in body.items()}
        return Body(self.wire, fields, self.model, self.stream, shown=self.shown)

    def asking(self, model: str) -> Body:
        """This request for another model: what the caller's alias stands for."""
        return Body(self.wire, self.fields, model, self.stream, shown=self.shown)


def read_fields(raw: bytes) -> dict[str, Raw]:
    """Split a JSON object into its top-level fields. Raises `Malformed`."""
    try:
        if not raw.isascii():
            raw.decode()  # raw fields are not looked into, so their text would pass unchecked
        return _FIELDS.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from None


def value_of(raw: Raw) -> Any:
    """The value of a raw field. Raises `Malformed` for a number that no number type holds."""
    try:
        return _VALUE.decode(raw)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from None


def write_fields(fields: Mapping[str, Raw]) -> bytes:
    """The JSON object with these fields; untouched ones keep their bytes."""
    return _encode(fields)


def as_raw(value: Any) -> Raw:
    """`value` as raw JSON."""
    return Raw(_encode(value))


def text_field(fields: Mapping[str, Raw], name: str) -> str | None:
    """A top-level field, `None` when it is absent or null. Raises `TypeError` when it is no string."""
    raw = fields.get(name)
    value = None if raw is None else value_of(raw)
    if value is None or isinstance(value, str):
        return value
    raise TypeError(name)
