"""LiteLLM's rows of models and credentials, opened with its salt key, as ours.

They are sealed anew with the secret of this installation by whoever writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_governance.catalog.checking import info_of, params_of, secrets_of
from routeiq_governance.catalog.stored import AddedModel, Credential
from routeiq_governance.importer.reading import BY, Row, at
from routeiq_governance.importer.report import LeftOut
from routeiq_governance.importer.unsealing import Opener
from routeiq_sdk import RequestError

_REFERENCE = "os.environ/"
_PUBLIC = "team_public_model_name"


class SealedRows:
    """`written` are names and ids of models in the YAML, `environment` is what references are looked up in."""

    def __init__(self, opener: Opener, written: frozenset[str], environment: Mapping[str, str], now: int) -> None:
        self._opener = opener
        self._written = written
        self._environment = environment
        self._now = now

    def model(self, row: Row) -> AddedModel:
        """A model. Raises `LeftOut`."""
        name, id = row["model_name"], row["model_id"]
        taken = next((each for each in (name, id) if each in self._written), None)
        if taken is not None:
            raise LeftOut(f"the YAML has {taken!r} already")
        params = self._resolved(self._opener.document(row["litellm_params"]))
        info = row.get("model_info") or {}
        try:
            kept, told = params_of(params), info_of(info)
        except RequestError as refused:
            raise LeftOut(refused.message) from None
        created = at(row.get("created_at")) or self._now
        team = info.get("team_id")
        return AddedModel(
            id=id,
            name=name,
            params=kept,
            info=told,
            team_id=team if isinstance(team, str) else None,
            blocked=bool(row.get("blocked") or info.get("blocked")),
            created_at=created,
            updated_at=at(row.get("updated_at")) or created,
            created_by=row.get("created_by") or BY,
            updated_by=row.get("updated_by") or BY,
        )

    def credential(self, row: Row) -> Credential:
        """A credential. Raises `LeftOut`."""
        values = self._resolved(self._opener.document(row["credential_values"]))
        info = row.get("credential_info")
        try:
            kept = secrets_of(values)
        except RequestError as refused:
            raise LeftOut(refused.message) from None
        created = at(row.get("created_at")) or self._now
        return Credential(
            name=row["credential_name"],
            values=kept,
            info=info if isinstance(info, dict) else {},
            created_at=created,
            updated_at=at(row.get("updated_at")) or created,
            created_by=row.get("created_by") or BY,
            updated_by=row.get("updated_by") or BY,
        )

    def _resolved(self, value: Any) -> Any:
        """References to variables of LiteLLM's environment, replaced by what they name here: whoever runs the command
        is the operator."""
        if isinstance(value, dict):
            return {name: self._resolved(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        if isinstance(value, str) and value.startswith(_REFERENCE):
            name = value.removeprefix(_REFERENCE)
            if name not in self._environment:
                raise LeftOut(f"it takes a value from the variable {name}, which is not set here")
            return self._environment[name]
        return value
