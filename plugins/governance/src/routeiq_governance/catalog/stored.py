"""Added models and credentials as the database keeps them: names in clear, what may hold secrets sealed.

What a row may say is checked in `checking`, who may change one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.store.secrets import Sealer
from routeiq_governance.store.tables import credentials, models


class AddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `model_list` in the database. `name` is what is asked for, `params` and `info` are its `litellm_params`
    and `model_info`; of a team's row `name` is an inner one, and the team asks for `public_name`."""

    id: str
    name: str
    params: Mapping[str, Any]
    info: Mapping[str, Any] = {}
    team_id: str | None = None
    blocked: bool = False
    created_at: int = 0
    updated_at: int = 0
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def public_name(self) -> str:
        """The name under which clients ask."""
        told = self.info.get("team_public_model_name")
        return told if self.team_id is not None and isinstance(told, str) else self.name

    def as_row(self) -> dict[str, Any]:
        """The row as the gateway takes it."""
        info = {**self.info, "id": self.id, "blocked": self.blocked}
        if self.team_id is not None:
            info["team_id"] = self.team_id
        return {"model_name": self.name, "litellm_params": dict(self.params), "model_info": info}


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Named parameters that rows share. `values` are secret, `info` is not."""

    name: str
    values: Mapping[str, Any]
    info: Mapping[str, Any] = {}
    created_at: int = 0
    updated_at: int = 0
    created_by: str | None = None
    updated_by: str | None = None


class Models:
    """The rows of models, in the caller's transactions."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def find(self, connection: AsyncConnection, *where: ColumnElement[bool]) -> list[AddedModel]:
        """Those that match, in the order of their names. Raises `Unsealable`."""
        statement = select(models).where(*where).order_by(models.c.name, models.c.id)
        return [self.opened(row) for row in (await connection.execute(statement)).mappings()]

    async def get(self, connection: AsyncConnection, id: str) -> AddedModel | None:
        """One by id, locked until the transaction ends. Raises `Unsealable`."""
        statement = select(models).where(models.c.id == id).with_for_update()
        row = (await connection.execute(statement)).mappings().first()
        return self.opened(row) if row is not None else None

    async def insert(self, connection: AsyncConnection, model: AddedModel) -> None:
        """Add one. Raises SQLAlchemy's `IntegrityError` when its id is taken."""
        await connection.execute(insert(models).values(self._row(model)))

    async def save(self, connection: AsyncConnection, model: AddedModel) -> None:
        """Write one that exists."""
        await connection.execute(update(models).where(models.c.id == model.id).values(self._row(model)))

    async def delete(self, connection: AsyncConnection, id: str) -> bool:
        """Delete one; says whether it was there."""
        return bool((await connection.execute(delete(models).where(models.c.id == id))).rowcount)

    def opened(self, row: Mapping[Any, Any]) -> AddedModel:
        """A row as it was read. Raises `Unsealable`."""
        document = msgspec.json.decode(self._sealer.open(row["row"], _model_place(row["id"])))
        kept = {name: row[name] for name in _KEPT}
        return AddedModel(**kept, params=document["params"], info=document["info"])

    def _row(self, model: AddedModel) -> dict[str, Any]:
        document = msgspec.json.encode({"params": model.params, "info": model.info})
        kept = {name: getattr(model, name) for name in _KEPT}
        return {**kept, "row": self._sealer.seal(document, _model_place(model.id))}


class Credentials:
    """The named credentials, in the caller's transactions."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def all(self, connection: AsyncConnection) -> list[Credential]:
        """All of them, by name. Raises `Unsealable`."""
        statement = select(credentials).order_by(credentials.c.id)
        return [self.opened(row) for row in (await connection.execute(statement)).mappings()]

    async def get(self, connection: AsyncConnection, name: str) -> Credential | None:
        """One by name, locked until the transaction ends. Raises `Unsealable`."""
        statement = select(credentials).where(credentials.c.id == name).with_for_update()
        row = (await connection.execute(statement)).mappings().first()
        return self.opened(row) if row is not None else None

    async def insert(self, connection: AsyncConnection, credential: Credential) -> None:
        """Add one. Raises SQLAlchemy's `IntegrityError` when its name is taken."""
        await connection.execute(insert(credentials).values(self._row(credential)))

    async def save(self, connection: AsyncConnection, credential: Credential) -> None:
        """Write one that exists."""
        statement = update(credentials).where(credentials.c.id == credential.name)
        await connection.execute(statement.values(self._row(credential)))

    async def delete(self, connection: AsyncConnection, name: str) -> bool:
        """Delete one; says whether it was there."""
        return bool((await connection.execute(delete(credentials).where(credentials.c.id == name))).rowcount)

    def opened(self, row: Mapping[Any, Any]) -> Credential:
        """A row as it was read. Raises `Unsealable`."""
        values = msgspec.json.decode(self._sealer.open(row["sealed"], _credential_place(row["id"])))
        kept = {name: row[name] for name in _TRAIL}
        return Credential(name=row["id"], values=values, info=row["info"] or {}, **kept)

    def _row(self, credential: Credential) -> dict[str, Any]:
        sealed = self._sealer.seal(msgspec.json.encode(credential.values), _credential_place(credential.name))
        kept = {name: getattr(credential, name) for name in _TRAIL}
        return {"id": credential.name, "sealed": sealed, "info": dict(credential.info), **kept}


_TRAIL: Sequence[str] = ("created_at", "updated_at", "created_by", "updated_by")
_KEPT: Sequence[str] = ("id", "name", "team_id", "blocked", *_TRAIL)


def _model_place(id: str) -> str:
    return f"models/{id}"


def _credential_place(name: str) -> str:
    return f"credentials/{name}"
