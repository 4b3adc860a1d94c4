"""The YAML at the head of a SKILL.md: read as YAML 1.2 with plain JSON values, then checked against the format.

What follows the head is the model's to read, not ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from routeiq_skills.store.limits import LIMITS, SKILL_MD, BadSkill
from routeiq_skills.store.paths import check_name, shown

_HEAD = re.compile(rb"\A---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_MOST_DESCRIPTION, _MOST_COMPATIBILITY = 1024, 500


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema without aliases, tags and repeated keys, so that every reader sees the same values."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise BadSkill("the head uses a YAML alias")
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            raise BadSkill("the head uses a YAML tag")
        return super().compose_node(parent, index)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise BadSkill(f"the head has a key that is no text: {shown(key)}")
        if key in found:
            raise BadSkill(f"the head has {shown(key)} twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _string(loader: _Loader, node: yaml.ScalarNode) -> str:
    text: str = node.value
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise BadSkill("the head has half a character (a UTF-16 surrogate); write the character itself")
    return text


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value
    if len(text) > 20:
        raise BadSkill("the head has a number of more than 20 digits")
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = float(node.value.replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(value):
        raise BadSkill("the head has a number that is not finite")
    return value


for _tag, _form, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), _first)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:str", _string)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def frontmatter_of(content: bytes) -> Mapping[str, Any]:
    """The head of a SKILL.md, every field as its author wrote it. Raises `BadSkill`."""
    match = _HEAD.match(content)
    if match is None:
        raise BadSkill(f"{SKILL_MD} does not begin with YAML between two lines of ---")
    head = match.group(1)
    if len(head) > LIMITS.frontmatter_bytes:
        raise BadSkill(f"the head of {SKILL_MD} has more than {LIMITS.frontmatter_bytes // 1024} KiB")
    try:
        loader = _Loader(head.decode("utf-8"))
        value = loader.get_single_data()
    except UnicodeDecodeError:
        raise BadSkill(f"{SKILL_MD} is not UTF-8") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 2}" if mark is not None else ""
        raise BadSkill(f"the head of {SKILL_MD} is not YAML{place}") from None
    if not isinstance(value, dict):
        raise BadSkill(f"the head of {SKILL_MD} is not a mapping")
    _check(value)
    return value


def _check(told: Mapping[str, Any]) -> None:
    check_name(told.get("name"))
    description = told.get("description")
    if not isinstance(description, str) or not description.strip() or len(description) > _MOST_DESCRIPTION:
        raise BadSkill(f"the description is not a text of 1 to {_MOST_DESCRIPTION} characters")
    if "license" in told and not isinstance(told["license"], str):
        raise BadSkill("the license is not a text")
    if "compatibility" in told:
        compatibility = told["compatibility"]
        if not isinstance(compatibility, str) or not 1 <= len(compatibility) <= _MOST_COMPATIBILITY:
            raise BadSkill(f"the compatibility is not a text of 1 to {_MOST_COMPATIBILITY} characters")
    if "metadata" in told and not isinstance(told["metadata"], dict):
        raise BadSkill("the metadata are not a mapping")
    if "allowed-tools" in told:
        tools = told["allowed-tools"]
        texts = isinstance(tools, list) and all(isinstance(tool, str) for tool in tools)
        if not isinstance(tools, str) and not texts:
            raise BadSkill("allowed-tools are neither a text nor a list of texts")
