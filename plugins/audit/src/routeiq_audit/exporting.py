"""Lines written in other forms: JSON lines, OCSF, CSV, Parquet.

Which lines is the business of `selecting`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from routeiq_audit.canonical import canonical
from routeiq_audit.ocsf import to_ocsf
from routeiq_audit.sources import Line
from routeiq_audit.who import team_of, user_of

_PLAIN = ("time", "class", "name", "id", "tenant", "stream", "seq", "hash")
_FROM_EVENT = (
    *(
        "request_id",
        "principal",
        "user",
        "team",
        "client",
        "action",
        "route",
        "phase",
        "stage",
        "status",
        "http_status",
    ),
    *("selected_deployment", "total_cost", "error"),
)
COLUMNS = (*_PLAIN, *_FROM_EVENT, "event")
"""Of CSV and Parquet. `event` is the whole event as JSON."""
_NUMBERS = frozenset({"seq", "status", "http_status", "total_cost"})
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 5_000


class NoParquet(RuntimeError):
    """pyarrow is not installed."""


def row(line: Line) -> dict[str, Any]:
    """A line as a flat row of `COLUMNS`."""
    event: Mapping[str, Any] = line["event"]
    told: dict[str, Any] = {name: line.get(name) for name in _PLAIN}
    told |= {name: event.get(name) for name in _FROM_EVENT}
    told |= {"user": user_of(event), "team": team_of(event), "event": canonical(event).decode()}
    return told


def write_jsonl(lines: Iterable[Line], out: BinaryIO) -> int:
    """Each line as it lies in the object."""
    return _written(lines, out, canonical)


def write_ocsf(lines: Iterable[Line], out: BinaryIO) -> int:
    """Each line as an OCSF event."""
    return _written(lines, out, lambda line: orjson.dumps(to_ocsf(line)))


def write_csv(lines: Iterable[Line], out: BinaryIO) -> int:
    """A header and a row each; no cell is one that a spreadsheet takes for a formula."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        told = row(line)
        writer.writerow([_cell(told[name]) for name in COLUMNS])
    text.detach()
    return count


def write_parquet(lines: Iterable[Line], path: Path) -> int:
    """One Parquet file, zstd-compressed. Raises `NoParquet`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise NoParquet("Parquet needs pyarrow: pip install pyarrow") from None
    types = [(name, pyarrow.int64() if name in _NUMBERS else pyarrow.string()) for name in COLUMNS]
    schema = pyarrow.schema(types)
    count, rows = 0, list[dict[str, Any]]()
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for line in lines:
            rows.append({name: _typed(name, value) for name, value in row(line).items()})
            count += 1
            if len(rows) == _ROWS:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pyarrow.Table.from_pylist(rows, schema))
    return count


WRITERS: Mapping[str, Callable[[Iterable[Line], BinaryIO], int]] = {
    "jsonl": write_jsonl,
    "ocsf": write_ocsf,
    "csv": write_csv,
}
"""Forms that can be written to any stream."""


def _written(lines: Iterable[Line], out: BinaryIO, spell: Callable[[Line], bytes]) -> int:
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        out.write(spell(line) + b"\n")
    return count


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _typed(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _NUMBERS:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if isinstance(value, str) else str(value)
