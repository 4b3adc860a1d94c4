"""Every audit event is valid OCSF 1.5: the objects by `py-ocsf-models`, the classes by what their pages require."""

from __future__ import annotations

from typing import Any

import pytest
from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.objects.api import API
from py_ocsf_models.objects.resource_details import ResourceDetails
from py_ocsf_models.objects.service import Service
from py_ocsf_models.objects.user import User
from pydantic import BaseModel, ConfigDict

from routeiq_audit.ocsf import to_ocsf

from .samples import lines


class Actor(BaseModel):
    """OCSF object `actor`: at least one of its attributes; ours is always the user."""

    model_config = ConfigDict(extra="forbid")
    user: User
    session: dict[str, str] | None = None


class Endpoint(BaseModel):
    """OCSF object `network_endpoint`: at least one of its attributes."""

    model_config = ConfigDict(extra="forbid")
    ip: str | None = None
    name: str | None = None


class Event(BaseEvent):
    """What every class requires beyond `base_event` of the library."""

    model_config = ConfigDict(extra="forbid")
    category_uid: int
    category_name: str
    class_uid: int
    class_name: str
    activity_id: int
    activity_name: str
    type_uid: int
    type_name: str
    time: int
    src_endpoint: Endpoint
    duration: int | None = None
    http_request: dict[str, Any] | None = None


class ApiActivity(Event):
    """https://schema.ocsf.io/1.5.0/classes/api_activity"""

    actor: Actor
    api: API
    resources: list[ResourceDetails] | None = None


class Authentication(Event):
    """https://schema.ocsf.io/1.5.0/classes/authentication"""

    user: User
    service: Service
    is_remote: bool


class AccountChange(Event):
    """https://schema.ocsf.io/1.5.0/classes/account_change"""

    user: User
    actor: Actor


class AuthorizeSession(Event):
    """https://schema.ocsf.io/1.5.0/classes/authorize_session"""

    user: User
    actor: Actor
    privileges: list[str] | None = None


_CLASSES: dict[int, tuple[type[Event], int, set[int]]] = {
    6003: (ApiActivity, 6, {0, 1, 2, 3, 4, 99}),
    3002: (Authentication, 3, {0, 1, 2, 3, 4, 5, 6, 7, 99}),
    3001: (AccountChange, 3, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99}),
    3003: (AuthorizeSession, 3, {0, 1, 2, 99}),
}
"""Model, category and activities of each class."""
_LINES = lines()


@pytest.mark.parametrize("line", _LINES, ids=[f"{line['name']}-{line['id']}" for line in _LINES])
def test_every_event_is_valid(line: dict[str, Any]) -> None:
    told = to_ocsf(line)
    model, category, activities = _CLASSES[told["class_uid"]]
    model.model_validate(told)
    assert told["category_uid"] == category
    assert told["activity_id"] in activities
    assert told["type_uid"] == told["class_uid"] * 100 + told["activity_id"]
    assert told["status_id"] in (0, 1, 2)
    assert told["severity_id"] in (0, 1, 2, 3, 4, 5, 6, 99)
    assert any(told["src_endpoint"].values())
    assert told["metadata"]["version"] == "1.5.0"


def test_nothing_of_the_audit_event_is_lost() -> None:
    for line in _LINES:
        told = to_ocsf(line)
        kept = told["unmapped"]
        assert (kept["event"], kept["hash"], kept["prev"]) == (line["event"], line["hash"], line["prev"])
        assert (told["metadata"]["uid"], told["metadata"]["sequence"]) == (line["id"], line["seq"])
        assert told["time"] == 1_767_323_045_123


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("routeiq.admin.v1", {"action": "key:create", "phase": "done"}, (3001, 1, 1)),
        ("routeiq.admin.v1", {"action": "key:block", "phase": "failed"}, (3001, 5, 2)),
        ("routeiq.admin.v1", {"action": "team:update", "phase": "asked"}, (6003, 3, 0)),
        ("routeiq.admin.v1", {"action": "binding:create", "phase": "done"}, (3003, 1, 1)),
        ("routeiq.admin.v1", {"action": "policy:delete", "phase": "done"}, (6003, 4, 1)),
        ("routeiq.admission.v1", {"stage": "authenticate"}, (3002, 1, 2)),
        ("routeiq.admission.v1", {"stage": "permit"}, (3003, 99, 2)),
        ("routeiq.admission.v1", {"stage": "reserve"}, (6003, 99, 2)),
        ("routeiq.sign_in.v1", {"step": "signed_in"}, (3002, 1, 1)),
        ("routeiq.sign_in.v1", {"step": "signed_out"}, (3002, 2, 1)),
        ("routeiq.sign_in.v1", {"step": "refused"}, (3002, 1, 2)),
        ("routeiq.router_decision.v2", {"http_status": 200}, (6003, 99, 1)),
        ("routeiq.router_decision.v2", {"http_status": 502}, (6003, 99, 2)),
        ("routeiq.tool_call.v1", {"outcome": "ok"}, (6003, 99, 1)),
        ("routeiq.tool_call.v1", {"outcome": "tool_error"}, (6003, 99, 2)),
        ("routeiq.tool_call.v1", {"outcome": "refused"}, (6003, 99, 2)),
        ("unheard.of.v1", {}, (6003, 99, 0)),
    ],
)
def test_kinds_of_events_have_their_class_activity_and_status(
    name: str, fields: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    line = _LINES[0] | {"name": name, "event": fields}
    told = to_ocsf(line)
    assert (told["class_uid"], told["activity_id"], told["status_id"]) == expected


def test_a_call_of_a_tool_names_the_tool_its_server_and_the_virtual_server() -> None:
    event = {"outcome": "refused", "protocol": "mcp", "server": "files", "tool": "read"}
    line = _LINES[0] | {"name": "routeiq.tool_call.v1", "event": {**event, "attributes": {"virtual_server": "desk"}}}
    told = to_ocsf(line)
    named = {(resource["type"], resource["name"]) for resource in told["resources"]}
    assert named == {("tool", "files/read"), ("server", "files"), ("virtual_server", "desk")}
    assert (told["api"]["operation"], told["severity_id"]) == ("mcp:read", 2)


def test_odd_events_do_not_break_it() -> None:
    for event in ({"input": 3, "reward": [], "target": "x", "attempts": "no", "outcome": 1, "status": True}, {}):
        for name in {line["name"] for line in _LINES}:
            assert to_ocsf(_LINES[0] | {"name": name, "event": event})["class_uid"] in _CLASSES
