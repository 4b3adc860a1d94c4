"""What this SCIM service can and what its resources look like: the three documents of RFC 7643, sections 5 to 7.

Data only; the attributes named here are the ones that `users` and `groups` keep.
"""

from __future__ import annotations

from typing import Any

from routeiq_oidc.scim.paths import ENTERPRISE, GROUP, USER

_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"
_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"


def _attribute(name: str, description: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": description,
        "required": False,
        "mutability": "readWrite",
        "returned": "default",
    }
    if kind == "string":
        described |= {"caseExact": False, "uniqueness": "none"}
    return described | more


def _schema(id: str, name: str, description: str, *attributes: dict[str, Any]) -> dict[str, Any]:
    meta = {"resourceType": "Schema", "location": f"/scim/v2/Schemas/{id}"}
    return {
        "schemas": [_SCHEMA],
        "id": id,
        "name": name,
        "description": description,
        "attributes": list(attributes),
        "meta": meta,
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    schema["id"]: schema
    for schema in (
        _schema(
            USER,
            "User",
            "A person.",
            _attribute("userName", "The name to sign in with.", required=True, uniqueness="server"),
            _attribute(
                "name",
                "The parts of the name.",
                "complex",
                subAttributes=[
                    _attribute("formatted", "The whole name."),
                    _attribute("givenName", "The given name."),
                    _attribute("familyName", "The family name."),
                ],
            ),
            _attribute("displayName", "The name that people see."),
            _attribute("title", "The title in the organization."),
            _attribute("userType", "What kind of worker this is."),
            _attribute("preferredLanguage", "The preferred language."),
            _attribute("locale", "The locale."),
            _attribute("timezone", "The time zone."),
            _attribute("active", "Whether this person may do anything here.", "boolean"),
            _attribute(
                "emails",
                "E-mail addresses; one is kept, the primary or the first.",
                "complex",
                multiValued=True,
                subAttributes=[
                    _attribute("value", "The address."),
                    _attribute("type", "What it is for."),
                    _attribute("primary", "Whether it is the one to use.", "boolean"),
                ],
            ),
        ),
        _schema(
            GROUP,
            "Group",
            "A group of people: a team.",
            _attribute("displayName", "The name that people see.", required=True),
            _attribute(
                "members",
                "Its users.",
                "complex",
                multiValued=True,
                subAttributes=[
                    _attribute("value", "The user's id.", mutability="immutable"),
                    _attribute("$ref", "The user.", "reference", referenceTypes=["User"], mutability="immutable"),
                    _attribute("type", "`User`.", canonicalValues=["User"], mutability="immutable"),
                ],
            ),
        ),
        _schema(
            ENTERPRISE,
            "EnterpriseUser",
            "What companies add to a person.",
            _attribute("employeeNumber", "The number of the employee."),
            _attribute("costCenter", "The cost centre."),
            _attribute("organization", "The organization."),
            _attribute("division", "The division."),
            _attribute("department", "The department."),
        ),
    )
}


def _type(name: str, schema: str, description: str, *extensions: str) -> dict[str, Any]:
    return {
        "schemas": [_TYPE],
        "id": name,
        "name": name,
        "endpoint": f"/{name}s",
        "description": description,
        "schema": schema,
        "schemaExtensions": [{"schema": extension, "required": False} for extension in extensions],
        "meta": {"resourceType": "ResourceType", "location": f"/scim/v2/ResourceTypes/{name}"},
    }


TYPES: dict[str, dict[str, Any]] = {
    "User": _type("User", USER, "A person.", ENTERPRISE),
    "Group": _type("Group", GROUP, "A group of people: a team."),
}


def service_provider_config(most: int) -> dict[str, Any]:
    """What this service can."""
    return {
        "schemas": [_CONFIG],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": most},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The token of the gateway's configuration, in the header Authorization.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": "/scim/v2/ServiceProviderConfig"},
    }
