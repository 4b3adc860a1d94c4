"""Whether the head of a SKILL.md says what its skill's entry says of it, field by field.

The entry's values come from the server's own reading of the YAML, so whatever YAML 1.1 and 1.2 make of one text is
taken for the same. That is for values alone: a field more or less, or one said twice, never passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

import yaml

_HEAD: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_MOST: Final = 64 * 1024
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def says(content: bytes, told: Mapping[str, Any]) -> bool:
    """Whether the frontmatter of a SKILL.md is `told`. What cannot be read says nothing."""
    try:
        head = _HEAD.match(content.decode())
        if head is None or len(head[1]) > _MOST:
            return False
        loader = _Loader(head[1])
        try:
            return _same(loader.get_single_node(), told, loader)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def _same(node: yaml.Node | None, told: Any, loader: Any) -> bool:
    """The walk is as long as `told` is, whatever aliases make of the document."""
    if isinstance(node, yaml.MappingNode):
        fields = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        return (
            isinstance(told, Mapping)
            and len(fields) == len(node.value)
            and fields.keys() == told.keys()
            and all(_same(fields[name], value, loader) for name, value in told.items())
        )
    if isinstance(node, yaml.SequenceNode):
        return (
            isinstance(told, list | tuple)
            and len(told) == len(node.value)
            and all(_same(item, value, loader) for item, value in zip(node.value, told, strict=True))
        )
    return isinstance(node, yaml.ScalarNode) and _same_scalar(node, told, loader)


def _same_scalar(node: yaml.ScalarNode, told: Any, loader: Any) -> bool:
    if isinstance(told, str) and told == node.value:
        return True
    value = loader.construct_object(node)
    if isinstance(value, date):
        return isinstance(told, str) and _moment(value) == _moment(datetime.fromisoformat(told))
    if isinstance(value, str) and not node.style and isinstance(told, int | float) and not isinstance(told, bool):
        return float(value) == told  # `1e3` is a number in YAML 1.2 and a text in 1.1
    return isinstance(value, bool) == isinstance(told, bool) and bool(value == told)


def _moment(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
