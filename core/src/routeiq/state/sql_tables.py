"""The schema of the state store, portable between SQLite and PostgreSQL. Changes come with a migration.

Names are stored as bytes (UTF-8): any text fits, and bytes sort by code point in both. Times are Unix nanoseconds.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, LargeBinary, MetaData, String, Table, TypeDecorator

PREFIX = "routeiq_state_"
"""Before every table, so that a database of something else can hold them, too."""
VERSION_TABLE = PREFIX + "version"

SCHEMA = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)


class Name(TypeDecorator[str]):
    """A text as its UTF-8 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return value.encode("utf-8", "surrogatepass") if value is not None else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return bytes(value).decode("utf-8", "surrogatepass") if value is not None else None


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(PREFIX + name, SCHEMA, *columns)


counters = _table(
    "counters",
    Column("key", Name, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("ends", BigInteger, index=True),
)
records = _table(
    "records",
    Column("table", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("ends", BigInteger, index=True),
)
leases = _table(
    "leases",
    Column("name", Name, primary_key=True),
    Column("owner", Name, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False, index=True),
)
sequences = _table(
    "sequences",
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""One row, `epoch`: the last epoch of any lease. Epochs rise over all names, so no ended lease must be remembered."""

messages = Table(
    PREFIX + "messages",
    SCHEMA,
    # SQLite numbers rows by itself for INTEGER alone, and never twice with AUTOINCREMENT.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("channel", Name, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("ends", BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)
"""Messages on their way: all of them in SQLite, in PostgreSQL those that are too large for a notification."""

meters = _table(
    "meters",
    Column("name", Name, primary_key=True),
    Column("taken", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("ends", BigInteger, index=True),
)
paces = _table(
    "paces",
    Column("name", Name, primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
)
"""When each pace is due next, which is also when its row may go."""
holds = _table(
    "holds",
    Column("hold", Name, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("due", BigInteger),
    Column("ends", BigInteger),
    Column("note", LargeBinary, nullable=False),
    Column("amounts", LargeBinary, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Index("ix_routeiq_state_holds_due", "due"),
    Index("ix_routeiq_state_holds_ends", "ends"),
)
"""An open hold has `due`, the end of its lease; an ended one has `ends`, until when it is remembered. `version` rises
with each part. `amounts` and `parts` are JSON."""
marks = _table(
    "marks",
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""One row, `meters`: which life of the database the meters were restored in. Another life may have lost some."""
