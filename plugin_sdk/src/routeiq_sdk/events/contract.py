"""What every event contract can do: name itself, give its JSON and its JSON Schema.

The contracts themselves are the modules beside this one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from routeiq_sdk.values.records import Event

CONTRACTS: dict[str, type[Contract]] = {}
"""Every contract by its name."""


class Contract:
    """Base of event contracts: dataclasses that nobody changes once made.

    Field docstrings become the schema's descriptions.

    Money is in nano-USD (integers), durations are in milliseconds, moments in ISO 8601 with a `Z`.
    """

    __slots__ = ()
    NAME: ClassVar[str] = ""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.NAME = name or cls.NAME  # a dataclass with slots is made twice, the second time without the keyword
        CONTRACTS[cls.NAME] = cls

    def payload(self) -> dict[str, Any]:
        """The event as plain JSON data."""
        told: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return told

    def json(self) -> bytes:
        """The event as JSON."""
        return _adapter(type(self)).dump_json(self)

    def event(self, at: int) -> Event:
        """The event for sinks. `at` is Unix time in nanoseconds."""
        return Event(self.NAME, at, self.payload())

    @classmethod
    def read(cls, payload: Any) -> Any:
        """The event that a JSON `payload` (data, or its bytes) describes. Raises pydantic's `ValidationError`."""
        adapter = _adapter(cls)
        return adapter.validate_json(payload) if isinstance(payload, bytes | str) else adapter.validate_python(payload)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the payload."""
        told = _adapter(cls).json_schema(mode="serialization")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{cls.NAME}", **told}


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(contract: type[Any]) -> TypeAdapter[Any]:
    """Made at first use: a schema takes milliseconds to build."""
    known = _ADAPTERS.get(contract)
    if known is None:
        known = _ADAPTERS[contract] = TypeAdapter(contract)
    return known


def moment(at: int) -> str:
    """Unix time in nanoseconds as ISO 8601 with milliseconds."""
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
