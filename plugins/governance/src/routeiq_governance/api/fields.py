"""How the fields of a request are checked, one small check a type; a wrong one names its field.

What a field means for an entity is the business of the resource's own module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from routeiq_governance.api.shapes import duration, later, wrong
from routeiq_sdk import RequestError

Check = Callable[[str, Any], Any]
"""Takes a field's name and its value (never `None`), gives what is kept, or raises `RequestError(400)`."""

_LONGEST_ID = 512
_LONGEST_TEXT = 8192
_MOST = 2**53
_LONGEST_WINDOW = 36_525 * 86_400 * 1_000_000_000


def missing(kind: str, id: str, param: str) -> RequestError:
    """The error of a thing that is not there, or not for this caller."""
    return RequestError(404, f"{kind} {id!r} does not exist", type="not_found", param=param, code="404")


def checked(body: Mapping[str, Any], checks: Mapping[str, Check], required: Collection[str] = ()) -> dict[str, Any]:
    """The fields that are present, each as its check keeps it, `None` for `null`. Raises `RequestError(400)` for one
    that is unknown, wrong or missing."""
    for name in body:
        if name not in checks:
            raise wrong(name, "there is no such field")
    for name in required:
        if body.get(name) is None:
            raise wrong(name, "is required")
    return {name: None if value is None else checks[name](name, value) for name, value in body.items()}


def text(name: str, value: Any) -> str:
    """Any text."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\x00" in value or not _storable(value):
        raise wrong(name, f"expected a text of at most {_LONGEST_TEXT} characters")
    return value


def _storable(value: str) -> bool:
    """Whether the text is Unicode that can be written: half of a surrogate pair is not."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def identifier(name: str, value: Any) -> str:
    """A name by which something is found: printable, not blank, at most 512 characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_ID or not value.isprintable():
        raise wrong(name, f"expected 1 to {_LONGEST_ID} printable characters")
    return value.strip()


def flag(name: str, value: Any) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise wrong(name, "expected true or false")
    return value


def count(name: str, value: Any) -> int:
    """A whole number from 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise wrong(name, "expected a whole number from 0")
    return value


def window(name: str, value: Any) -> str:
    """The duration of a budget: at most 100 years."""
    length = duration(name, value)
    try:
        end = later(0, length)
    except (ValueError, OverflowError):
        end = _LONGEST_WINDOW + 1
    if end > _LONGEST_WINDOW:
        raise wrong(name, "expected at most 100 years")
    return length


def document(name: str, value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong(name, "expected an object")
    return value


def sequence(name: str, value: Any) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise wrong(name, "expected a list")
    return value


def texts(name: str, value: Any) -> list[str]:
    """A list of texts."""
    return [text(name, item) for item in sequence(name, value)]


def identifiers(name: str, value: Any) -> list[str]:
    """A list of names, each once, at least one."""
    found = list(dict.fromkeys(identifier(name, item) for item in sequence(name, value)))
    if not found:
        raise wrong(name, "expected at least one")
    return found


def counts(name: str, value: Any) -> dict[str, int]:
    """An object whose values are whole numbers."""
    return {key: count(name, item) for key, item in document(name, value).items()}


def email(name: str, value: Any) -> str:
    """An e-mail address; only its form is looked at."""
    found = identifier(name, value)
    if "@" not in found[1:-1]:
        raise wrong(name, "expected an e-mail address")
    return found


def one_of(choices: Sequence[str]) -> Check:
    """One of some words."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise wrong(name, f"expected one of {', '.join(choices)}")
        return value

    return check


TRAVELLING: Mapping[str, Check] = {
    "guardrails": texts,
    "policies": texts,
    "prompts": texts,
    "object_permission": document,
    "router_settings": document,
    "access_group_ids": texts,
    "allowed_passthrough_routes": texts,
    "denied_passthrough_routes": texts,
    "disable_global_guardrails": flag,
    "require_trace_id": flag,
    "enforced_params": texts,
    "mcp_rpm_limit": counts,
    "allowed_vector_store_indexes": sequence,
    "enforced_batch_output_expires_after": document,
    "enforced_file_expires_after": document,
    "default_estimated_output_tokens": count,
    "default_estimated_output_tokens_per_model": counts,
    "tags": texts,
}
"""What LiteLLM's clients may set on keys, teams, users and organizations, and what other plugins read."""
