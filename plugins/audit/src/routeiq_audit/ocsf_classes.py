"""Which OCSF class, activity, status and severity an audit event has.

How the event is then written is the business of `ocsf`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_API, _AUTHENTICATION, _ACCOUNT, _AUTHORIZE = 6003, 3002, 3001, 3003
_UNKNOWN, _SUCCESS, _FAILURE = 0, 1, 2
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4
_OTHER = 99
_ACCOUNTS = frozenset({"key", "user", "customer"})
_PRIVILEGES = frozenset({"role", "binding"})
_API_VERBS = {"create": (1, "Create"), "read": (2, "Read"), "update": (3, "Update"), "delete": (4, "Delete")}
_ACCOUNT_VERBS = {
    "create": (1, "Create"),
    "unblock": (2, "Enable"),
    "rotate": (3, "Password Change"),
    "regenerate": (3, "Password Change"),
    "block": (5, "Disable"),
    "delete": (6, "Delete"),
}
_AUTHORIZE_VERBS = {"create": (1, "Assign Privileges"), "update": (1, "Assign Privileges")}


@dataclass(frozen=True, slots=True)
class Classified:
    """`resources` are (type, name) of what was touched; `detail` says why something failed."""

    class_uid: int
    activity_id: int
    activity: str
    operation: str
    status_id: int
    severity_id: int
    message: str
    detail: str = ""
    resources: Sequence[tuple[str, str]] = field(default_factory=tuple)


def classified(name: str, event: Mapping[str, Any]) -> Classified:
    """The class of an event by its name and what it says."""
    made = _BY_NAME.get(name)
    return made(event) if made is not None else _other(name, event)


def _admin(event: Mapping[str, Any]) -> Classified:
    action = str(event.get("action") or "")
    resource, _, verb = action.partition(":")
    phase = event.get("phase")
    status = {"done": _SUCCESS, "failed": _FAILURE}.get(str(phase), _UNKNOWN)
    uid, verbs = _API, _API_VERBS
    if resource in _ACCOUNTS:
        uid, verbs = _ACCOUNT, _ACCOUNT_VERBS
    elif resource in _PRIVILEGES:
        uid, verbs = _AUTHORIZE, _AUTHORIZE_VERBS
    activity_id, activity = verbs.get(verb, (_OTHER, action or "change"))
    target = event.get("target")
    resources = [(resource, str(id)) for id in target.values()] if isinstance(target, Mapping) else []
    return Classified(
        uid,
        activity_id,
        activity,
        action or "change",
        status,
        _LOW if status == _FAILURE else _INFORMATIONAL,
        f"{action}: {phase}",
        str(event.get("error") or ""),
        resources,
    )


def _admission(event: Mapping[str, Any]) -> Classified:
    stage = str(event.get("stage"))
    detail = str(event.get("message") or event.get("reason") or "")
    message = f"refused at {stage}: {event.get('reason')}"
    operation = str(event.get("action") or event.get("route") or "request")
    if stage == "authenticate":
        return Classified(_AUTHENTICATION, 1, "Logon", operation, _FAILURE, _LOW, message, detail)
    if stage == "permit":
        resources = [("action", operation)]
        return Classified(_AUTHORIZE, _OTHER, "Refuse", operation, _FAILURE, _LOW, message, detail, resources)
    asked = event.get("requested_model")
    resources = [("model", str(asked))] if asked else []
    return Classified(_API, _OTHER, "Invoke", operation, _FAILURE, _LOW, message, detail, resources)


def _sign_in(event: Mapping[str, Any]) -> Classified:
    step = str(event.get("step"))
    activity = (2, "Logoff") if step == "signed_out" else (1, "Logon")
    refused = step == "refused"
    status, severity = (_FAILURE, _LOW) if refused else (_SUCCESS, _INFORMATIONAL)
    reason = str(event.get("reason") or "")
    return Classified(_AUTHENTICATION, *activity, "session", status, severity, step, reason)


def _scim(event: Mapping[str, Any]) -> Classified:
    what = str(event.get("what") or "user")
    resources = [(what, str(event.get("id")))]
    return Classified(
        _ACCOUNT, _OTHER, "Provision", f"scim:{what}", _SUCCESS, _INFORMATIONAL, "provisioned", "", resources
    )


def _decision(event: Mapping[str, Any]) -> Classified:
    outcome = event.get("outcome")
    outcome = outcome if isinstance(outcome, Mapping) else {}
    status = event.get("http_status")
    failed = isinstance(status, int) and status >= 400
    resources = [("model", str(event["selected_deployment"]))] if event.get("selected_deployment") else []
    attempts = event.get("attempts")
    for attempt in attempts if isinstance(attempts, Sequence) and not isinstance(attempts, str) else ():
        if isinstance(attempt, Mapping) and attempt.get("deployment_id"):
            resources.append(("deployment", str(attempt["deployment_id"])))
    return Classified(
        _API,
        _OTHER,
        "Invoke",
        str(event.get("route") or "request"),
        _FAILURE if failed else _SUCCESS,
        _INFORMATIONAL,
        str(event.get("selection_reason") or "a model was called"),
        str(outcome.get("error_message") or ""),
        resources,
    )


def _attempt_started(event: Mapping[str, Any]) -> Classified:
    resources = [("deployment", str(event.get("deployment_id"))), ("model", str(event.get("model")))]
    message = "a model is about to be called"
    return Classified(_API, _OTHER, "Invoke", "attempt", _UNKNOWN, _INFORMATIONAL, message, "", resources)


def _attempt(event: Mapping[str, Any]) -> Classified:
    resources = [("deployment", str(event.get("deployment_id"))), ("model", str(event.get("model")))]
    status = _SUCCESS if event.get("kind") == "ok" else _FAILURE
    detail = str(event.get("error_message") or "")
    return Classified(
        _API, _OTHER, "Invoke", "attempt", status, _INFORMATIONAL, str(event.get("kind")), detail, resources
    )


def _guard(event: Mapping[str, Any]) -> Classified:
    action, guard = str(event.get("action")), str(event.get("guard"))
    status = _SUCCESS if action == "replace" else _FAILURE
    reason = str(event.get("reason") or "")
    message, resources = f"{guard}: {action}", [("guard", guard)]
    return Classified(_API, _OTHER, "Guard", str(event.get("stage")), status, _MEDIUM, message, reason, resources)


def _tool_call(event: Mapping[str, Any]) -> Classified:
    outcome = str(event.get("outcome"))
    status = _SUCCESS if outcome == "ok" else _FAILURE
    tool = f"{event.get('server')}/{event.get('tool')}"
    detail = str(event.get("error_type") or "")
    operation = f"{event.get('protocol')}:{event.get('tool')}"
    resources, facts = [("tool", tool), ("server", str(event.get("server")))], event.get("attributes")
    if isinstance(facts, Mapping) and facts.get("virtual_server"):
        resources.append(("virtual_server", str(facts["virtual_server"])))
    severity = _LOW if outcome == "refused" else _INFORMATIONAL
    return Classified(_API, _OTHER, "Invoke", operation, status, severity, outcome, detail, resources)


def _loss(event: Mapping[str, Any]) -> Classified:
    message = f"{event.get('dropped')} audit events were dropped"
    return Classified(_API, _OTHER, "Audit loss", "audit", _FAILURE, _HIGH, message, str(event.get("policy") or ""))


def _other(name: str, event: Mapping[str, Any]) -> Classified:
    return Classified(_API, _OTHER, "Other", name, _UNKNOWN, _INFORMATIONAL, name)


_BY_NAME: Mapping[str, Callable[[Mapping[str, Any]], Classified]] = {
    "routeiq.admin.v1": _admin,
    "routeiq.admission.v1": _admission,
    "routeiq.sign_in.v1": _sign_in,
    "routeiq.scim.v1": _scim,
    "routeiq.router_decision.v1": _decision,
    "routeiq.router_decision.v2": _decision,
    "routeiq.attempt.v1": _attempt,
    "routeiq.attempt_started.v1": _attempt_started,
    "routeiq.guard.v1": _guard,
    "routeiq.tool_call.v1": _tool_call,
    "routeiq.audit_loss.v1": _loss,
}
