"""What access says when it says no, in the words of the compatibility profile.

Why it says no is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from routeiq_sdk import Reject, RequestError

OLD = "1.80"
_TYPE = "auth_error"


def away() -> RequestError:
    """The database cannot be asked: never a reason for 401 or 403."""
    return RequestError(
        503,
        "The database of roles cannot be reached. Try again.",
        type="no_db_connection",
        code="503",
        headers={"retry-after": "1"},
    )


def not_found(scope: str, id: str) -> RequestError:
    """The thing does not exist, or is another tenant's: the two must not be told apart."""
    param = "key" if scope == "key" else f"{scope}_id"
    return RequestError(404, f"{scope} {id!r} does not exist", type="not_found", param=param, code="404")


def missing_right(action: str, where: str) -> RequestError:
    """The caller misses a right in its own tenant."""
    return RequestError(403, f"You may not do {action} {where}.", type=_TYPE, code="403")


def member_may_not(action: str, team: str, profile: str) -> RequestError:
    """A plain member whose team does not permit it."""
    message = f"Team member does not have permissions for {action} in team {team!r}. Ask an admin of the team."
    status = 401 if profile == OLD else 403
    return RequestError(status, message, type="team_member_permission_error", code=str(status))


def privileged_field(field: str, action: str) -> RequestError:
    """A field that only the holders of another right may set."""
    return RequestError(403, f"You may not set {field!r}: it needs {action}.", type=_TYPE, param=field, code="403")


def beyond(what: str, param: str | None = None) -> RequestError:
    """The caller would grant what it does not have."""
    return RequestError(403, f"You may not grant what you do not have: {what}.", type=_TYPE, param=param, code="403")


def route_refused(action: str, path: str, role: str | None, profile: str) -> Reject:
    """No role of the caller allows the route's action."""
    if profile == OLD:
        message = (
            "Authentication Error, Only proxy admin can be used to generate, delete, update info for new "
            f"keys/users/teams. Route={path}. Your role={role or 'unknown'}."
        )
        return Reject(401, message, type=_TYPE)
    return Reject(403, f"Your role does not allow {action} ({path}). Your role={role or 'unknown'}.", type=_TYPE)


def narrowed_key(path: str, entries: Iterable[str]) -> Reject:
    """The key is narrowed to other routes."""
    return Reject(
        403,
        "Virtual key is not allowed to call this route. "
        f"Only allowed to call routes: {sorted(entries)}. Tried to call route: {path}",
        type=_TYPE,
    )


def closed_route(path: str) -> Reject:
    """The operator closed the route."""
    return Reject(403, f"Route {path} not allowed", type=_TYPE)


def admins_alone(path: str) -> Reject:
    """The operator keeps the route for admins."""
    return Reject(403, f"user not allowed to access this route. Route={path} is an admin only route", type=_TYPE)


def address_refused(address: str | None) -> Reject:
    """The client's address is not among those that are served."""
    return Reject(403, f"Access forbidden: IP address {address or 'unknown'} not allowed.", type=_TYPE)


def model_refused(holder: str, model: str, allowed: Iterable[str], profile: str) -> Reject:
    """`holder` (`key`, `team`, `user`, `org`, `project`, `customer`) may not use the model. The new profile does not
    tell what it may."""
    kind = f"{holder}_model_access_denied"
    if profile == OLD:
        names = ", ".join(sorted(allowed))
        message = (
            f"{holder} not allowed to access model. This {holder} can only access models=[{names}]. "
            f"Tried to access {model}"
        )
        return Reject(401, message, type=kind, param="model")
    of = "this customer" if holder == "customer" else "this API key"
    return Reject(403, f"The requested model is not available for {of}.", type=kind, param="model")


def row_refused(model: str, why: str, profile: str) -> Reject:
    """A deployment that is kept for others."""
    status = 401 if profile == OLD else 403
    return Reject(status, f"The model {model} is {why}.", type="team_model_access_denied", param="model")
