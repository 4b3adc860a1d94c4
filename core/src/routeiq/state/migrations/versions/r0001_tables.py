"""Counters, records, leases, messages, meters and holds.

The first revision. A later one changes tables by a file of its own; this one stays as it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_PREFIX = "routeiq_state_"


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=optional)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _table(name: str, *columns: sa.Column[Any], key: tuple[str, ...], indexed: tuple[str, ...] = ("ends",)) -> None:
    op.create_table(_PREFIX + name, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{_PREFIX}{name}"))
    for column in indexed:
        op.create_index(f"ix_{_PREFIX}{name}_{column}", _PREFIX + name, [column])


def upgrade() -> None:
    """Make the tables."""
    _table("counters", _bytes("key"), _number("value"), _number("ends", optional=True), key=("key",))
    _table(
        "records",
        _bytes("table"),
        _bytes("key"),
        _bytes("value"),
        _number("ends", optional=True),
        key=("table", "key"),
    )
    _table("leases", _bytes("name"), _bytes("owner"), _number("epoch"), _number("ends"), key=("name",))
    _table("sequences", sa.Column("name", sa.String, nullable=False), _number("value"), key=("name",), indexed=())
    op.create_table(
        _PREFIX + "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        _bytes("channel"),
        _bytes("message"),
        _number("ends"),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{_PREFIX}messages_ends", _PREFIX + "messages", ["ends"])
    _table("meters", _bytes("name"), _number("taken"), _number("held"), _number("ends", optional=True), key=("name",))
    _table("paces", _bytes("name"), _number("ends"), key=("name",))
    _table(
        "holds",
        _bytes("hold"),
        _number("version"),
        _number("due", optional=True),
        _number("ends", optional=True),
        _bytes("note"),
        _bytes("amounts"),
        _bytes("parts"),
        key=("hold",),
        indexed=("due", "ends"),
    )
    _table(
        "marks",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        key=("name",),
        indexed=(),
    )
