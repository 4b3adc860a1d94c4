"""A group of the directory as a SCIM resource (RFC 7643, section 4.2), and back.

Pure: whether its members exist is asked in `teams`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_oidc.scim.errors import invalid
from routeiq_oidc.scim.paths import GROUP
from routeiq_oidc.scim.users import lowered
from routeiq_sdk.values.directory import DirectoryGroup

_LONGEST = 255


def to_resource(group: DirectoryGroup) -> dict[str, Any]:
    """The SCIM form of a group."""
    resource: dict[str, Any] = {
        "schemas": [GROUP],
        "id": group.id,
        "displayName": group.name,
        "members": [
            {"value": member, "$ref": f"/scim/v2/Users/{member}", "type": "User"} for member in sorted(group.members)
        ],
        "meta": {"resourceType": "Group", "location": f"/scim/v2/Groups/{group.id}"},
    }
    if group.external_id is not None:
        resource["externalId"] = group.external_id
    return resource


def from_resource(resource: Mapping[str, Any], id: str, organization: str | None) -> DirectoryGroup:
    """The directory's form of a whole resource. Raises `ScimError`."""
    given = lowered(resource)
    name, external = given.get("displayname"), given.get("externalid")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not name.isprintable():
        raise invalid(f"a group needs a displayName of at most {_LONGEST} printable characters")
    if not isinstance(external, str | None) or len(external or "") > _LONGEST:
        raise invalid(f"externalId is a text of at most {_LONGEST} characters")
    return DirectoryGroup(id, name, external or None, organization, members_of(given.get("members")))


def members_of(value: Any) -> frozenset[str]:
    """The user ids in a list of members. Raises `ScimError`."""
    if value is None:
        return frozenset()
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise invalid("members is a list")
    found = set()
    for row in value:
        member = lowered(row)
        id, kind = member.get("value"), member.get("type") or "User"
        if not isinstance(id, str) or not id:
            raise invalid("a member needs a value: the id of a user")
        if str(kind).lower() != "user":
            raise invalid("members are users; groups in groups are not kept")
        found.add(id)
    return frozenset(found)
