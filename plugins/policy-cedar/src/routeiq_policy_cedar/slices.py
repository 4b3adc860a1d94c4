"""Of many policies, those whose scope can match a caller and an action: what does not match needs no evaluation.

Sound because Cedar looks at a policy's conditions only where its scope (principal, action) holds, and scopes are plain
comparisons with the entity and its ancestors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routeiq_policy_cedar.validation import Policy

Uid = tuple[str, str]


def ancestors(of: Uid, entities: Iterable[Mapping[str, Any]]) -> frozenset[Uid]:
    """An entity and all that it is in, over any number of steps."""
    parents = {_uid(row["uid"]): [_uid(parent) for parent in row["parents"]] for row in entities}
    found: set[Uid] = set()
    waiting = [of]
    while waiting:
        uid = waiting.pop()
        if uid not in found:
            found.add(uid)
            waiting += parents.get(uid, ())
    return frozenset(found)


def matching(
    policies: Sequence[Policy], principal: frozenset[Uid], principal_type: str, action: frozenset[Uid]
) -> list[Policy]:
    """The policies whose scope holds for a principal and an action, both given with their ancestors. A scope of a form
    that is not known here is kept: Cedar judges it."""
    return [
        policy
        for policy in policies
        if _holds(policy.form.get("principal"), principal, principal_type)
        and _holds(policy.form.get("action"), action, "Action")
    ]


def _holds(scope: Any, ids: frozenset[Uid], type: str) -> bool:
    if not isinstance(scope, Mapping):
        return True
    match scope.get("op"):
        case "==" | "in":
            return _any_in(scope, ids)
        case "is":
            inside = scope.get("in")
            return scope.get("entity_type") == type and (not isinstance(inside, Mapping) or _any_in(inside, ids))
        case _:
            return True


def _any_in(scope: Mapping[str, Any], ids: frozenset[Uid]) -> bool:
    if "entity" in scope:
        return _uid(scope["entity"]) in ids
    if "entities" in scope:
        return any(_uid(entity) in ids for entity in scope["entities"])
    return True


def _uid(form: Mapping[str, Any]) -> Uid:
    inner = form.get("__entity", form)
    return str(inner["type"]), str(inner["id"])
