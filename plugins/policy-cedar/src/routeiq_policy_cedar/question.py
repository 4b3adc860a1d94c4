"""A request as Cedar sees it: the caller, the model or route, and the context, as entities and attributes.

Which attributes there are is written in `default.cedarschema`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from routeiq_policy_cedar.book import Json, Question
from routeiq_sdk import Context, Deployment, Principal
from routeiq_sdk.values.directory import DirectoryUser

_TYPES = {"key": "Key", "user": "User", "service": "Service"}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TOKENS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST_LABELS = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller as entities. Equal subjects get equal decisions."""

    type: str
    id: str
    entities: tuple[Json, ...]
    key: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Thing:
    """A model or a route as an entity."""

    type: str
    id: str
    entity: Json
    key: tuple[object, ...]


def is_master(principal: Principal) -> bool:
    """Whether it is the master key itself; keys of admins are keys."""
    return principal.is_admin and principal.id == "master"


def subject_of(principal: Principal, user: DirectoryUser | None) -> Subject:
    """The caller, with what the directory knows of its user."""
    kind = "Admin" if is_master(principal) else _TYPES.get(principal.kind, "Key")
    id = (principal.user or principal.id) if kind == "User" else principal.id
    roles = sorted({*_texts(principal.attributes.get("roles")), *(user.roles if user is not None else ())})
    email = user.email if user is not None else principal.attributes.get("email")
    attrs: dict[str, Any] = {}
    if kind != "Admin":
        attrs["labels"] = _labels(principal.attributes.get("metadata"), user)
    if kind in ("Key", "Service"):
        attrs["tags"] = sorted(principal.tags)
        attrs |= _given(alias=principal.alias)
    if kind == "Key":
        attrs |= _given(region=_text(principal.attributes.get("allowed_model_region")))
    if kind in ("Key", "User") and isinstance(email, str):
        attrs |= {"email": email, "email_domain": email.rpartition("@")[2].lower()}
    if kind == "User":
        attrs |= _given(name=user.name if user is not None else None)
    belongs = [("Role", role) for role in roles]
    belongs += [("Team", principal.team)] if principal.team is not None else []
    belongs += [("Organization", principal.organization)] if principal.organization is not None else []
    entities: list[Json] = []
    if kind in ("Key", "Service") and principal.user is not None:
        entities.append(_entity("User", principal.user, {"labels": []}, belongs))
        belongs = [*belongs, ("User", principal.user)]
    if principal.team is not None and principal.organization is not None:
        entities.append(_entity("Team", principal.team, {}, [("Organization", principal.organization)]))
    entities.append(_entity(kind, id, attrs, () if kind == "Admin" else belongs))
    key = (kind, id, principal.user, principal.team, principal.organization, tuple(roles), repr(sorted(attrs.items())))
    return Subject(kind, id, tuple(entities), key)


def model_thing(name: str, rows: Sequence[Deployment]) -> Thing:
    """The model that is asked for, with all its rows; without rows it is virtual, an alias, or behind a wildcard."""
    prices = [row.price for row in rows if row.price is not None]
    attrs: dict[str, Any] = {
        "name": name,
        "virtual": not rows,
        "providers": sorted({row.provider for row in rows}),
        "regions": sorted({row.region for row in rows if row.region is not None}),
        "tags": sorted({tag for row in rows for tag in row.tags}),
    }
    if prices and len(prices) == len(rows):
        attrs["input_price"] = max(price.input * 1_000_000 // price.scale for price in prices)
        attrs["output_price"] = max(price.output * 1_000_000 // price.scale for price in prices)
    return Thing("Model", name, _entity("Model", name, attrs, ()), ("Model", name, *(row.id for row in rows)))


def route_thing(ctx: Context) -> Thing:
    """The route that is called: its template, so that ids in a path do not make routes."""
    id = f"{ctx.method} {ctx.route}"
    return Thing("Route", id, _entity("Route", id, {"path": ctx.route, "method": ctx.method}, ()), ("Route", id))


def moment(client: str | None, now_ns: int) -> dict[str, Any]:
    """When and from where a request comes."""
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    context: dict[str, Any] = {
        "now": {"__extn": {"fn": "datetime", "arg": at.strftime("%Y-%m-%dT%H:%M:%SZ")}},
        "hour": at.hour,
        "minute": at.minute,
        "weekday": _DAYS[at.weekday()],
    }
    address = _address(client)
    if address is not None:
        context["ip"] = {"__extn": {"fn": "ip", "arg": address}}
    return context


def call_context(ctx: Context, now_ns: int) -> dict[str, Any]:
    """The context of a call of a model."""
    context = moment(ctx.client, now_ns)
    context |= {"tags": sorted(ctx.tags), "stream": ctx.request.stream}
    context |= _given(end_user=ctx.end_user)
    tokens = next((value for name in _TOKENS if (value := ctx.request.param(name)) is not None), None)
    if isinstance(tokens, int) and not isinstance(tokens, bool) and abs(tokens) < 2**53:
        context["tokens"] = tokens
    return context


def question(subject: Subject, action: str, thing: Thing, context: Json) -> Question:
    """What Cedar is asked."""
    return Question(
        principal=(subject.type, subject.id),
        action=action,
        resource=(thing.type, thing.id),
        context=context,
        entities=(*subject.entities, thing.entity),
        subject=subject.key,
        object=thing.key,
    )


def _entity(type: str, id: str, attrs: Mapping[str, Any], parents: Iterable[tuple[str, str]]) -> Json:
    return {
        "uid": {"type": type, "id": id},
        "attrs": dict(attrs),
        "parents": [{"type": of, "id": name} for of, name in parents],
    }


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    return (
        [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple | set | frozenset) else []
    )


def _labels(metadata: object, user: DirectoryUser | None) -> list[str]:
    """Plain values of metadata and of the directory's attributes, as `name=value`."""
    found: dict[str, str | int] = dict(user.attributes) if user is not None else {}
    if isinstance(metadata, Mapping):
        found |= {str(name): value for name, value in metadata.items() if isinstance(value, str | int | bool)}
    return sorted(f"{name}={value}" for name, value in found.items())[:_MOST_LABELS]


def _address(client: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(client)) if client is not None else None
    except ValueError:
        return None
