"""The reference of the SDK's public names, from their docstrings.

Hooks have a page of their own.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator

import routeiq_sdk
from reference_blocks.tables import code, paragraph, table


def sdk_names() -> str:
    """Every name that `routeiq_sdk` exports."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for name in sorted(routeiq_sdk.__all__, key=str.lower):
        value = getattr(routeiq_sdk, name)
        yield f"## `{name}`\n"
        if not inspect.isclass(value):
            yield _constant(name, value)
            continue
        yield _doc(value) + "\n"
        if dataclasses.is_dataclass(value):
            rows = ((code(field.name), code(_annotation(field.type)), _default(field)) for field in _fields(value))
            yield table(("field", "type", "default"), rows)


def _constant(name: str, value: object) -> str:
    if name == "hookimpl":
        return "Marks a method of a plugin as the implementation of the hook with its name.\n"
    return f"`{value!r}`\n"


def _doc(value: type) -> str:
    text, fence, example = (inspect.getdoc(value) or "").partition("```python")
    return paragraph(text) + (f"\n\n```python{example}" if fence else "")


def _fields(value: type) -> Iterator[dataclasses.Field[object]]:
    yield from dataclasses.fields(value)


def _annotation(written: object) -> str:
    return written if isinstance(written, str) else getattr(written, "__name__", str(written))


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return code(repr(field.default))
    return "empty" if field.default_factory is not dataclasses.MISSING else ""
