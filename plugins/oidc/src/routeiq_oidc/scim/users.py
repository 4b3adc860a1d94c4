"""A user of the directory as a SCIM resource (RFC 7643, sections 4.1 and 4.3), and back.

Pure: reading and writing the directory is done in `people`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_oidc.scim.errors import invalid
from routeiq_oidc.scim.paths import ENTERPRISE, USER
from routeiq_sdk.values.directory import DirectoryUser

_LONGEST = 255
_SIMPLE = ("title", "userType", "preferredLanguage", "locale", "timezone")
_NAMES = ("formatted", "givenName", "familyName")
_ENTERPRISE = ("employeeNumber", "costCenter", "organization", "division", "department")
_PREFIX = "enterprise."
_EMAIL_TYPE = "emailType"


def user_name(user: DirectoryUser) -> str:
    """The name to sign in with; of a user that was not provisioned the e-mail address or the id."""
    return user.attributes.get("userName") or user.email or user.id


def to_resource(user: DirectoryUser) -> dict[str, Any]:
    """The SCIM form of a user."""
    kept = user.attributes
    resource: dict[str, Any] = {
        "schemas": [USER],
        "id": user.id,
        "userName": user_name(user),
        "active": user.active,
        "meta": {"resourceType": "User", "location": f"/scim/v2/Users/{user.id}"},
    }
    if user.external_id is not None:
        resource["externalId"] = user.external_id
    if user.name is not None:
        resource["displayName"] = user.name
    if user.email is not None:
        kind = kept.get(_EMAIL_TYPE, "work")
        resource["emails"] = [{"value": user.email, "type": kind, "primary": True}]
    names = {name: kept[name] for name in _NAMES if name in kept}
    if names:
        resource["name"] = names
    resource |= {name: kept[name] for name in _SIMPLE if name in kept}
    enterprise = {name: kept[_PREFIX + name] for name in _ENTERPRISE if _PREFIX + name in kept}
    if enterprise:
        resource["schemas"] = [USER, ENTERPRISE]
        resource[ENTERPRISE] = enterprise
    return resource


def from_resource(
    resource: Mapping[str, Any], id: str, organization: str | None, before: DirectoryUser | None
) -> DirectoryUser:
    """The directory's form of a whole resource; what SCIM does not say (roles, other attributes) stays as it was, so
    does `active` without a word: nobody is let in again by an omission.

    Raises `ScimError`.
    """
    given = lowered(resource)
    name = _text(given, "userName")
    if name is None:
        raise invalid("a user needs a userName")
    names = {each: _text(lowered(given.get("name")), each) for each in _NAMES}
    enterprise = lowered(given.get(ENTERPRISE.lower()))
    said = {
        "userName": name,
        **names,
        **{each: _text(given, each) for each in _SIMPLE},
        **{_PREFIX + each: _text(enterprise, each) for each in _ENTERPRISE},
    }
    others = {key: value for key, value in before.attributes.items() if key not in said} if before is not None else {}
    email, said[_EMAIL_TYPE] = _email(given.get("emails"))
    active = given.get("active", before.active if before is not None else True)
    joined = " ".join(part for part in (names["givenName"], names["familyName"]) if part)
    return DirectoryUser(
        id=id,
        email=email or (name if "@" in name else None),
        name=_text(given, "displayName") or names["formatted"] or joined or None,
        external_id=_text(given, "externalId"),
        organization=before.organization if before is not None else organization,
        roles=before.roles if before is not None else frozenset(),
        active=truth(active, "active"),
        attributes={**others, **{key: value for key, value in said.items() if value is not None}},
    )


def lowered(value: Any) -> dict[str, Any]:
    """An object under the lower-case spelling of its keys; anything else is an empty one."""
    return {str(key).lower(): each for key, each in value.items()} if isinstance(value, Mapping) else {}


def truth(value: Any, name: str) -> bool:
    """A boolean; Entra ID also writes `"True"` and `"False"`. Raises `ScimError`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid(f"{name} is true or false")


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name.lower())
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise invalid(f"{name} is a text of at most {_LONGEST} printable characters")
    return value


def _email(value: Any) -> tuple[str | None, str | None]:
    """The primary address, else the first, and what it is for."""
    rows = [lowered(each) for each in value] if isinstance(value, list) else []
    rows.sort(key=lambda row: row.get("primary") not in (True, "true", "True"))
    for row in rows:
        found = _text(row, "value")
        if found is not None:
            return found, _text(row, "type")
    return None, None
