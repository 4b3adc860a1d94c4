"""PATCH (RFC 7644, section 3.5.2) on a resource in its SCIM form, with the dialects of Okta and Entra ID.

Pure: the changed resource is checked where whole ones are, in `users` and `groups`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from routeiq_oidc.scim.errors import ScimError, invalid
from routeiq_oidc.scim.paths import ENTERPRISE, Path, parse_path

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_MOST_OPERATIONS = 1000
_READ_ONLY = frozenset({"id", "meta", "schemas", "groups"})


def patched(resource: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """The resource after all operations, or none of them: raises `ScimError`."""
    given = {str(key).lower(): value for key, value in body.items()} if isinstance(body, Mapping) else {}
    operations = given.get("operations")
    if not isinstance(operations, list) or not 0 < len(operations) <= _MOST_OPERATIONS:
        raise invalid(f"Operations is a list of 1 to {_MOST_OPERATIONS} operations", "invalidSyntax")
    changed = _Resource(copy.deepcopy(dict(resource)))
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise invalid("an operation is an object", "invalidSyntax")
        row = {str(key).lower(): value for key, value in operation.items()}
        name, path, value = str(row.get("op")).lower(), row.get("path"), row.get("value")
        if name not in ("add", "replace", "remove"):
            raise invalid("op is add, replace or remove", "invalidSyntax")
        if path is not None and not isinstance(path, str):
            raise invalid("path is a text", "invalidPath")
        if path:
            changed.apply(name, parse_path(path), value)
        elif name == "remove":
            raise ScimError(400, "remove needs a path", "noTarget")
        elif isinstance(value, Mapping):
            for key, each in value.items():  # Entra ID writes whole paths as keys
                changed.apply(name, parse_path(str(key)), each)
        else:
            raise invalid("without a path the value is an object")
    return changed.values


class _Resource:
    """A resource under change. Names are looked up without case, and written as they were."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def apply(self, op: str, path: Path, value: Any) -> None:
        if path.urn is not None:
            self._extension(op, path, value)
        elif path.name in _READ_ONLY:
            if path.name == "id" and value != self.values["id"]:
                raise ScimError(400, "the id cannot change", "mutability")
        elif path.key is not None:
            self._selected(op, path, value)
        elif path.sub is not None:
            self._sub(self._object(self.values, path.name), op, path.sub, value)
        elif op == "add" and isinstance(value, Mapping) and path.name not in ("members", "emails"):
            held = self._object(self.values, path.name)
            for name, each in value.items():
                self._sub(held, op, str(name), each)
        elif path.name in ("members", "emails"):
            self._listed(op, path.name, value)
        else:
            self._sub(self.values, op, path.name, value)

    def _extension(self, op: str, path: Path, value: Any) -> None:
        if str(path.urn).lower() != ENTERPRISE.lower():
            return  # an extension that nobody keeps
        if path.name:
            self._sub(self._object(self.values, ENTERPRISE), op, path.name, value)
        elif op == "remove":
            self.values.pop(ENTERPRISE, None)
        elif isinstance(value, Mapping):
            held = self._object(self.values, ENTERPRISE) if op == "add" else {}
            self.values[ENTERPRISE] = {**held, **value}
        else:
            raise invalid("an extension is an object")

    def _selected(self, op: str, path: Path, value: Any) -> None:
        """Rows of a list that a filter selects; one that is not there yet is made by add and replace."""
        rows = self._rows(path.name)
        chosen = [row for row in rows if isinstance(row, dict) and _equal(_get(row, str(path.key)), path.value)]
        if op == "remove":
            if path.sub is None:
                self._put(self.values, path.name, [row for row in rows if row not in chosen])
            for row in chosen if path.sub is not None else ():
                self._sub(row, op, path.sub or "", None)
            return
        if not chosen:
            chosen = [{str(path.key): path.value}]
            rows.extend(chosen)
        for row in chosen:
            if path.sub is not None:
                self._sub(row, op, path.sub, value)
            elif isinstance(value, Mapping):
                row.update(value)
            else:
                raise invalid("a row of a list is an object")
        self._put(self.values, path.name, rows)

    def _listed(self, op: str, name: str, value: Any) -> None:
        rows = self._rows(name)
        told = [value] if isinstance(value, Mapping) else value
        if op == "remove" and told is None:
            self._put(self.values, name, [])
            return
        if not isinstance(told, list) or not all(isinstance(row, Mapping) for row in told):
            raise invalid(f"{name} is a list of objects")
        ids = [_get(row, "value") for row in told]
        if op == "replace":
            self._put(self.values, name, told)
        elif op == "remove":
            self._put(self.values, name, [row for row in rows if _get(row, "value") not in ids])
        else:
            kept = rows if name == "members" else [_demoted(row, told) for row in rows]
            self._put(self.values, name, [row for row in kept if _get(row, "value") not in ids] + told)

    def _sub(self, held: dict[str, Any], op: str, name: str, value: Any) -> None:
        if op == "remove" or value is None:
            for key in [key for key in held if key.lower() == name.lower()]:
                del held[key]
        else:
            self._put(held, name, value)

    def _rows(self, name: str) -> list[Any]:
        value = _get(self.values, name)
        return list(value) if isinstance(value, list) else []

    def _object(self, held: dict[str, Any], name: str) -> dict[str, Any]:
        value = _get(held, name)
        if not isinstance(value, dict):
            value = {}
            self._put(held, name, value)
        return value

    @staticmethod
    def _put(held: dict[str, Any], name: str, value: Any) -> None:
        held[next((key for key in held if key.lower() == name.lower()), name)] = value


def _get(row: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in row.items() if str(key).lower() == name.lower()), None)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return one is other if isinstance(one, bool) or isinstance(other, bool) else bool(one == other)


def _demoted(row: Any, told: list[Any]) -> Any:
    """A row that is primary no more, when a new one says that it is."""
    if isinstance(row, Mapping) and any(_get(new, "primary") is True for new in told):
        return {**row, "primary": False}
    return row
