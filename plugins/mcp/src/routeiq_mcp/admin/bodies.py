"""What an administrator's request may say of a server, and what is answered of one. No credential is ever answered.

What is done with it is in `routes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from routeiq_mcp.hub.added import Added, said
from routeiq_mcp.hub.pins import skills_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.rows import ServerRow, check_name
from routeiq_sdk import RequestError

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub

_NEVER = ("command", "args", "env", "env_vars", "cwd", "signature")
_UNENFORCED = ("token_validation",)
_NO_FIELDS = frozenset({"server_id", "server_name", "credentials", "status", "teams", "mcp_access_groups"})
_EMPTY: tuple[Any, ...] = (None, "", [], {}, ())


def fields_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row, of a body in LiteLLM's shape. Raises `RequestError`."""
    for name in _NEVER:
        if body.get(name) not in _EMPTY:
            raise RequestError(
                400,
                f"{name}: a server that is a program is started for rows of the YAML alone, never by a request",
                param=name,
            )
    if body.get("transport") == "stdio":
        raise RequestError(400, "transport: stdio is for rows of the YAML alone", param="transport")
    for name in _UNENFORCED:
        if body.get(name) not in (*_EMPTY, False):
            raise RequestError(400, f"{name}: this gateway does not enforce it; leave it out", param=name)
    fields = {name: value for name, value in body.items() if name not in _NO_FIELDS and value not in _EMPTY}
    credentials = body.get("credentials")
    if isinstance(credentials, Mapping):
        fields.update((name, value) for name, value in credentials.items() if value not in _EMPTY)
    groups = body.get("mcp_access_groups")
    if groups not in _EMPTY:
        fields["access_groups"] = groups
    spec = fields.get("spec_path")
    if spec is not None and not str(spec).startswith(("http://", "https://")):
        raise RequestError(400, "spec_path: a request may name a URL, and no file of the gateway", param="spec_path")
    known = {name: value for name, value in fields.items() if name in ServerRow.model_fields}
    checked(known)
    return known


def checked(fields: Mapping[str, Any]) -> ServerRow:
    """The row of some fields. Raises `RequestError`."""
    try:
        row = ServerRow.model_validate(dict(fields))
        row.outbound  # noqa: B018  # raises for an auth type whose parts are missing
        return row
    except ValidationError as error:
        raise RequestError(400, said(error)) from None
    except ValueError as error:
        raise RequestError(400, str(error)) from None


def name_of(body: Mapping[str, Any]) -> str:
    """The name of the server in a body. Raises `RequestError`."""
    name = body.get("server_name") or body.get("alias")
    if not isinstance(name, str):
        raise RequestError(400, "server_name is missing", param="server_name")
    try:
        return check_name(name)
    except ValueError as error:
        raise RequestError(400, str(error), param="server_name") from None


def told(hub: Hub, server: Server, added: Added | None) -> dict[str, Any]:
    """A server as it is answered."""
    trouble = server.trouble
    status = "unknown" if not server.asked else "healthy" if trouble is None else "unhealthy"
    pins, skills = hub.pins.of(server.id), hub.pins.of(skills_of(server.id))
    return {
        "server_id": server.id,
        "server_name": server.name,
        **server.about,
        "alias": server.prefix if server.prefix != server.name else None,
        "auth_mode": server.auth_mode,
        "source": server.source,
        "status": status,
        "health_check_error": trouble.reason if trouble is not None else None,
        "tools_left_out": dict(server.left_out),
        "tools_pinned": len(pins),
        "tools_waiting": sorted(tool for tool, pin in pins.items() if pin.waiting is not None),
        "skills_left_out": dict(server.skills_left_out),
        "skills_pinned": len(skills),
        "skills_waiting": sorted(skill for skill, pin in skills.items() if pin.waiting is not None),
        "created_at": _moment(added.created_at) if added is not None else None,
        "created_by": added.created_by if added is not None else None,
        "updated_at": _moment(added.updated_at) if added is not None else None,
        "updated_by": added.updated_by if added is not None else None,
    }


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
