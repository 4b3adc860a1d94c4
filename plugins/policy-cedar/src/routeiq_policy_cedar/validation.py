"""Checks of Cedar text against the schema: each problem with its line and, where one can be guessed, its mend.

Deciding with policies that passed is `book`'s business.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routeiq_policy_cedar.statements import Statement, statements

if TYPE_CHECKING:
    import cedarpy

_POLICY = re.compile(r"^(?:\[[^]]*\] )?(?:for policy `[^`]*`, )?")
_LONGEST = 256 * 1024
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a policy, at which line of its text, and how to mend it."""

    line: int
    message: str
    mend: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" + (f" Mend: {self.mend}" if self.mend else "")


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy that passed: its id, where it was written, and Cedar's JSON form of it."""

    id: str
    source: str
    line: int
    form: Mapping[str, Any]

    @property
    def forbids(self) -> bool:
        """Whether it forbids; else it permits."""
        return self.form.get("effect") == "forbid"


@dataclass(frozen=True, slots=True)
class Words:
    """What a schema knows, for guessing what was meant."""

    types: tuple[str, ...]
    actions: tuple[str, ...]
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, schema_text: str) -> Words:
        """The words of a schema as it is written."""
        return cls(
            tuple(re.findall(r"\bentity\s+(\w+)", schema_text)),
            tuple(re.findall(r'\baction\s+"([^"]+)"', schema_text)),
            tuple(dict.fromkeys(re.findall(r'"(\w+)"\??\s*:', schema_text))),
        )


class Checker:
    """Checks texts against one schema."""

    def __init__(self, schema: cedarpy.Schema, words: Words) -> None:
        self._schema = schema
        self._words = words

    def check(self, text: str, source: str) -> tuple[list[Policy], list[Problem]]:
        """The policies of a text, and what is wrong with it. `source` begins the ids of policies without `@id`."""
        if len(text) > _LONGEST:
            return [], [Problem(1, f"the text is longer than {_LONGEST} characters", "split it")]
        found: list[Policy] = []
        problems: list[Problem] = []
        for number, statement in enumerate(statements(text)):
            wrong = list(self._wrong(statement))
            problems += wrong
            if not wrong:
                form = _form(statement)
                found.append(Policy(_id_of(form, source, number), source, statement.line, form))
        if not found and not problems:
            problems.append(Problem(1, "there is no policy in it", "write permit(...); or forbid(...);"))
        return found, problems + _twice(found)

    def _wrong(self, statement: Statement) -> Iterator[Problem]:
        import cedarpy

        try:
            forms = json.loads(cedarpy.policies_to_json_str(statement.text))
        except ValueError as error:
            yield Problem(statement.line, f"it cannot be parsed: {error}", _syntax_mend(statement.text))
            return
        if forms["templates"]:
            yield Problem(statement.line, "it is a template, which nobody fills in", "name the principal and resource")
            return
        if not forms["staticPolicies"]:
            yield Problem(statement.line, "there is no policy in it", "delete the semicolon")
            return
        id = next(iter(forms["staticPolicies"].values())).get("annotations", {}).get("id")
        if id is not None and not _ID.fullmatch(id):
            yield Problem(statement.line, f"@id({id!r}) is no id", "use letters, digits and . _ : / -")
        for found in cedarpy.validate_policies(statement.text, self._schema).errors:
            message = _POLICY.sub("", found.error)
            yield Problem(statement.line, message, self._mend(message))

    def _mend(self, message: str) -> str | None:
        quoted = re.findall(r"`([^`]+)`", message)
        word = quoted[0] if quoted else ""
        if message.startswith("unrecognized entity type"):
            return _near(word, self._words.types)
        if message.startswith("unrecognized action"):
            named = re.search(r'"([^"]+)"', word)
            near = _near(named[1] if named else word, self._words.actions)
            return near or "add the action to routeiq.plugins.policy-cedar.actions"
        if "not found" in message or "attribute" in message:
            near = _near(word, self._words.attributes)
            optional = (
                f"ask first whether it is there: `has {word}`"
                if "optional" in message or "may not" in message
                else None
            )
            return optional or near
        return None


def _near(word: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else None


def _syntax_mend(text: str) -> str | None:
    if not text.rstrip().endswith(";"):
        return "end each policy with a semicolon"
    if not re.search(r"\b(permit|forbid)\s*\(", text):
        return "a policy begins with permit(principal, action, resource) or forbid(...)"
    return None


def _form(statement: Statement) -> Mapping[str, Any]:
    import cedarpy

    form = json.loads(cedarpy.policies_to_json_str(statement.text))["staticPolicies"]
    found: Mapping[str, Any] = next(iter(form.values()))
    return found


def _id_of(form: Mapping[str, Any], source: str, number: int) -> str:
    id = form.get("annotations", {}).get("id")
    return str(id) if id else f"{source}#{number + 1}"


def _twice(found: Iterable[Policy]) -> list[Problem]:
    seen: dict[str, Policy] = {}
    problems = []
    for policy in found:
        first = seen.setdefault(policy.id, policy)
        if first is not policy:
            message = f"the id {policy.id!r} is taken by line {first.line} of {first.source}"
            problems.append(Problem(policy.line, message, "give each policy its own @id"))
    return problems
