"""Exports hold what was asked for, whole, in the form that was asked for."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyarrow import parquet

from routeiq_audit.exporting import COLUMNS, WRITERS, write_parquet
from routeiq_audit.outbox import Outbox, Progress
from routeiq_audit.selecting import Selection, moment_of
from routeiq_audit.sources import folders_of, parts
from routeiq_audit.tailing import newest, since

from .samples import lines as sample_lines
from .trails import STREAM, keep, lines, sealed_objects, trail


def _written(form: str, told: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    assert WRITERS[form](told, out) == len(told)
    return out.getvalue()


def test_json_lines_are_the_very_lines_of_the_objects(tmp_path: Path) -> None:
    objects = trail(tmp_path, 4, 3)
    expected = [line for one in objects for line in lines(tmp_path, one)]
    written = _written("jsonl", list(Selection().lines(parts([tmp_path]))))
    assert written.splitlines() == expected


def test_ocsf_is_one_event_a_line() -> None:
    told = sample_lines()
    found = [orjson.loads(line) for line in _written("ocsf", told).splitlines()]
    assert [each["metadata"]["uid"] for each in found] == [line["id"] for line in told]


def test_csv_has_a_row_each_and_no_formula() -> None:
    told = sample_lines()
    told[0]["event"]["user"] = "=HYPERLINK(1)"
    rows = list(csv.DictReader(io.StringIO(_written("csv", told).decode())))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["user"] == "'=HYPERLINK(1)"
    assert [row["id"] for row in rows] == [line["id"] for line in told]
    assert orjson.loads(rows[3]["event"]) == told[3]["event"]
    decision = next(row for row in rows if row["name"] == "routeiq.router_decision.v2")
    assert (decision["user"], decision["team"], decision["total_cost"]) == ("alice", "team-1", "700")


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    told = sample_lines()
    path = tmp_path / "audit.parquet"
    assert write_parquet(told, path) == len(told)
    rows = parquet.read_table(path).to_pylist()
    assert [row["seq"] for row in rows] == [line["seq"] for line in told]
    assert orjson.loads(rows[-1]["event"]) == told[-1]["event"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(classes=frozenset({"admin"})), 0),
        (Selection(classes=frozenset({"request", "admin"})), 9),
        (Selection(principal="key-1"), 3),
        (Selection(principal="nobody"), 0),
        (Selection(stream=STREAM), 9),
        (Selection(stream="other"), 0),
        (Selection(since="2026-01-02T03:04:04.000Z"), 6),
        (Selection(until="2026-01-02T03:04:04.000Z"), 3),
        (Selection(since="2026-01-03T00:00:00.000Z"), 0),
    ],
)
def test_filters_let_pass_what_was_asked_for(tmp_path: Path, selection: Selection, expected: int) -> None:
    trail(tmp_path, 5, 4)
    assert len(list(selection.lines(parts([tmp_path], selection.since[:10])))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("2026-01-31T08:30", "2026-01-31T08:30:00.000Z"),
        ("2026-01-31T08:30:00.5+02:00", "2026-01-31T06:30:00.500Z"),
        ("90m", "2026-01-31T22:30:00.000Z"),
        ("7d", "2026-01-25T00:00:00.000Z"),
    ],
)
def test_times_are_written_as_they_stand_in_lines(text: str, expected: str) -> None:
    assert moment_of(text, datetime(2026, 2, 1, tzinfo=UTC)) == expected


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moment_of("yesterday")


def test_what_is_not_shipped_yet_is_read_from_the_outbox_and_nothing_twice(tmp_path: Path) -> None:
    objects = sealed_objects((3, 3))
    keep(tmp_path / "audit", objects[:1])
    outbox = Outbox(tmp_path / "spool" / "outbox-0")
    outbox.open()
    outbox.add(objects, Progress())
    found = list(Selection().lines(parts([tmp_path / "audit", tmp_path / "spool"])))
    assert [line["seq"] for line in found] == [1, 2, 3, 4, 5, 6]


def test_the_newest_lines_come_first_to_tail_and_then_what_follows(tmp_path: Path) -> None:
    objects = sealed_objects((4, 4, 4))
    keep(tmp_path, objects[:2])
    found, seen = newest([tmp_path], Selection(), 5)
    assert [line["seq"] for line in found] == [4, 5, 6, 7, 8]
    assert list(since([tmp_path], Selection(), seen)) == []
    keep(tmp_path, objects[2:])
    assert [line["seq"] for line in since([tmp_path], Selection(), seen)] == [9, 10, 11, 12]
    assert list(since([tmp_path], Selection(), seen)) == []
    assert [line["seq"] for line in newest([tmp_path], Selection(principal="key-0"), 2)[0]] == [9, 12]


def test_the_folders_of_a_configuration_are_its_file_sinks_and_its_spool() -> None:
    audit = {"spool": "s", "sinks": [{"kind": "s3", "bucket": "b"}, {"kind": "file", "path": "a"}]}
    assert folders_of({"routeiq": {"plugins": {"audit": audit}}}) == [Path("a"), Path("s")]
    with pytest.raises(ValueError, match="no plugin audit"):
        folders_of({"model_list": []})
