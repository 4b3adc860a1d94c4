"""The schema that policies are checked against: entities, the gateway's actions, and what a request's context holds.

The shipped text is `default.cedarschema`; actions are generated from the table here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from routeiq_sdk import PluginError

if TYPE_CHECKING:
    import cedarpy

INFERENCE = ("chat:create", "completion:create", "embedding:create", "decision:preview")
"""Actions whose resource is a model: the request is judged once its body is known, and again for each target."""

_CRUD = ("create", "update", "delete", "read", "list")
_KNOWN = (
    *(f"{resource}:{verb}" for resource in ("key", "team", "user", "organization", "customer") for verb in _CRUD),
    *(f"{resource}:{verb}" for resource in ("budget", "tag", "model", "access_group", "credential") for verb in _CRUD),
    *(f"{resource}:{verb}" for resource in ("policy", "role", "binding", "cedar") for verb in _CRUD),
    *("key:rotate", "key:block", "team:block", "model:block", "customer:block", "cedar:test"),
    *("spend:read", "spend:list", "spend:reset", "feedback:create", "router:read", "telemetry:send"),
    *("gateway:read", "gateway:reload", "decision:read", "session:read", "session:delete", "scim:manage"),
)
_READING = frozenset({"read", "list", "preview", "test"})


def group_of(action: str) -> str:
    """The group an action is in: `inference`, `read` or `write`."""
    if action in INFERENCE and action != "decision:preview":
        return "inference"
    return "read" if action.rpartition(":")[2] in _READING else "write"


def schema_text(path: str | None, extra: Iterable[str]) -> str:
    """The text of the schema. Raises `PluginError` for a file that cannot be read."""
    if path is None:
        return (
            _shipped() + "\n" + "\n".join(_declared(action) for action in dict.fromkeys((*INFERENCE, *_KNOWN, *extra)))
        )
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(
            "policy-cedar", f"the schema {path!r} cannot be read: {type(error).__name__}", mend="correct the path"
        ) from None


def parsed(text: str, path: str | None) -> cedarpy.Schema:
    """The schema. Raises `PluginError` that names the file."""
    import cedarpy

    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PluginError(
            "policy-cedar",
            f"the schema {path or 'with your actions'} makes no sense: {error}",
            mend="compare it with the shipped one: GET /routeiq/v1/cedar/schema",
        ) from None


@cache
def _shipped() -> str:
    return files("routeiq_policy_cedar").joinpath("default.cedarschema").read_text(encoding="utf-8")


def _declared(action: str) -> str:
    resource, context = ("Model", "Call") if action in INFERENCE else ("Route", "Request")
    return (
        f'action "{action}" in ["{group_of(action)}"] '
        f"appliesTo {{ principal: [User, Key, Service, Admin], resource: [{resource}], context: {context} }};"
    )
