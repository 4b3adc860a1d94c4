"""One version of all policies, compiled: it decides, and keeps decisions for a moment. A change makes another.

Reading policies from anywhere and asking on behalf of a request are done elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routeiq_policy_cedar.schema import group_of
from routeiq_policy_cedar.slices import ancestors, matching
from routeiq_policy_cedar.validation import Policy

if TYPE_CHECKING:
    import cedarpy

_MOST_KEPT = 50_000
_MANY = 64
_MOST_SLICES = 2_000
_DEFAULT = "(default)"
_NEVER_KEY = frozenset({"now"})
"""Parts of the context that a kept decision may be late about: it is kept for seconds only."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a decision: entities as Cedar's JSON, and which of them are principal and resource."""

    principal: tuple[str, str]
    action: str
    resource: tuple[str, str]
    context: Json
    entities: tuple[Json, ...]
    subject: object
    """Stands for the principal and its entities in the key of a kept decision."""
    object: object
    """The same for the resource."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision: `policies` are the ids of those that decided, none when it was the default; `errors` are of policies
    that could not be evaluated, which always refuses."""

    allowed: bool
    policies: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Book:
    """Decides by one set of policies. Deny overrides; an error denies; where none speaks, the default holds."""

    def __init__(
        self, version: int, policies: Sequence[Policy], schema: cedarpy.Schema, *, default_allow: bool, seconds: float
    ) -> None:
        import cedarpy

        self.version = version
        self.policies = tuple(policies)
        self.default_allow = default_allow
        self.empty = not policies and default_allow
        self._seconds = seconds
        self._set = self._compiled(policies)
        self._slices: dict[object, cedarpy.PolicySet] = {}
        self._base = cedarpy.Entities.from_json_str("[]", schema)
        self._actions = [row for row in json.loads(str(self._base)) if row["uid"]["type"] == "Action"]
        self._known = frozenset(row["uid"]["id"] for row in self._actions)
        self._used = used_context(policy.form for policy in policies)
        self._kept: dict[object, tuple[float, Verdict]] = {}

    def decide(self, question: Question, now: float) -> Verdict:
        """The decision, perhaps one that was made a moment ago. `now` is the monotonic clock in seconds."""
        if self.empty:
            return Verdict(True)
        key = (question.subject, question.action, question.object, self._key_of(question.context))
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        verdict = self.evaluate(question)
        if self._seconds > 0:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (now + self._seconds, verdict)
        return verdict

    def evaluate(self, question: Question) -> Verdict:
        """The decision, made now."""
        import cedarpy

        added = list(question.entities)
        if question.action not in self._known:
            group = {"type": "Action", "id": group_of(question.action)}
            added.append({"uid": {"type": "Action", "id": question.action}, "attrs": {}, "parents": [group]})
        request = {
            "principal": {"type": question.principal[0], "id": question.principal[1]},
            "action": {"type": "Action", "id": question.action},
            "resource": {"type": question.resource[0], "id": question.resource[1]},
            "context": json.dumps(question.context),
        }
        try:
            entities = self._base.with_added_json_str(json.dumps(added))
        except ValueError as error:
            return Verdict(False, (), (f"the entities of the request make no sense: {error}",))
        result = cedarpy.is_authorized(request, self._slice(question, added), entities)
        errors = tuple(result.diagnostics.errors)
        reasons = tuple(sorted(set(result.diagnostics.reasons) - {_DEFAULT}))
        return Verdict(result.allowed and not errors, reasons, errors)

    def _slice(self, question: Question, added: Sequence[Json]) -> cedarpy.PolicySet:
        """The policies that can concern this caller and action, when there are so many that it pays."""
        if len(self.policies) < _MANY:
            return self._set
        principal = ancestors(question.principal, added)
        key = (question.action, question.principal[0], principal)
        found = self._slices.get(key)
        if found is None:
            action = ancestors(("Action", question.action), (*self._actions, *added))
            found = self._compiled(matching(self.policies, principal, question.principal[0], action))
            if len(self._slices) >= _MOST_SLICES:
                self._slices.clear()
            self._slices[key] = found
        return found

    def _compiled(self, policies: Sequence[Policy]) -> cedarpy.PolicySet:
        import cedarpy

        forms = {policy.id: dict(policy.form) for policy in policies}
        if self.default_allow:
            forms[_DEFAULT] = _PERMIT_ALL
        return cedarpy.PolicySet.from_json_str(
            json.dumps({"staticPolicies": forms, "templates": {}, "templateLinks": []})
        )

    def _key_of(self, context: Json) -> object:
        if not self._used:
            return None
        names = sorted(context) if self._used is _ALL else sorted(self._used)
        return tuple((name, _hashable(context.get(name))) for name in names if name not in _NEVER_KEY)


_ALL: frozenset[str] = frozenset({"*"})
_PERMIT_ALL: dict[str, Any] = {
    "effect": "permit",
    "principal": {"op": "All"},
    "action": {"op": "All"},
    "resource": {"op": "All"},
    "conditions": [],
}


def used_context(forms: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The parts of the context that policies look at; `_ALL` when one looks at it as a whole."""
    used: set[str] = set()
    for form in forms:
        for name in _looked_at(form.get("conditions", [])):
            if name is None:
                return _ALL
            used.add(name)
    return frozenset(used)


def _looked_at(form: Any) -> Iterator[str | None]:
    if isinstance(form, Mapping):
        for operator, inner in form.items():
            if operator in (".", "has") and isinstance(inner, Mapping) and inner.get("left") == {"Var": "context"}:
                attribute = inner.get("attr")
                yield attribute if isinstance(attribute, str) else None
            elif operator == "Var" and inner == "context":
                yield None
            else:
                yield from _looked_at(inner)
    elif isinstance(form, list):
        for inner in form:
            yield from _looked_at(inner)


def _hashable(value: Any) -> object:
    if isinstance(value, list):
        return tuple(sorted(str(item) for item in value))
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
