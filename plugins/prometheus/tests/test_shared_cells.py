"""Counts in files: any worker reads all, a dead worker's counts stay, its gauges go, and strangers are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from routeiq_prometheus.families import Family, Labels
from routeiq_prometheus.rows import Rows
from routeiq_prometheus.shared import SharedCells

COUNTS = Family("counts", ("a",), 2, 50)
LIVE = Family("live", ("a",), 1, 10, live=True)
FAMILIES = (COUNTS, LIVE)
CELLS = 110


class Worker:
    """What one worker has of the folder."""

    def __init__(self, folder: Path, layout: str = "one") -> None:
        self.shared = SharedCells(folder, FAMILIES, layout, CELLS)
        self.rows = Rows(FAMILIES, self.shared.cells, lambda name: True, self.shared, self.shared.kept)

    def add(self, family: Family, *labels: str, by: float = 1.0) -> None:
        row, _ = self.rows.find(family, labels)
        self.rows.cells[row] += by

    def told(self) -> dict[tuple[str, Labels], list[float]]:
        """First cells of the others, by family and labels: those of dead ones in a list of their own."""
        found: dict[tuple[str, Labels], list[float]] = {}
        for peer in self.shared.peers():
            at = 0
            for number, labels in peer.rows:
                family = FAMILIES[number]
                if peer.alive or not family.live:
                    found.setdefault((family.name, labels), []).append(peer.cells[at])
                at += family.width
        return found


def test_each_reads_what_the_other_wrote_at_once(tmp_path: Path) -> None:
    one, two = Worker(tmp_path), Worker(tmp_path)
    assert two.told() == {}
    for count in range(1, 40):
        one.add(COUNTS, f"label-{count % 7}")
        one.add(LIVE, "x", by=2.0)
        told = two.told()
        assert sum(sum(values) for (name, _), values in told.items() if name == "counts") == count
        assert told["live", ("x",)] == [2.0 * count]
    assert one.told() == {}
    one.shared.close()
    two.shared.close()


def test_the_counts_of_one_that_left_stay_and_its_gauges_go(tmp_path: Path) -> None:
    one, two = Worker(tmp_path), Worker(tmp_path)
    one.add(COUNTS, "a", by=3)
    one.add(LIVE, "a", by=3)
    one.shared.close()
    assert two.told() == {("counts", ("a",)): [3.0]}
    successor = Worker(tmp_path)
    successor.add(COUNTS, "b")
    successor.add(COUNTS, "a")
    assert two.told() == {("counts", ("a",)): [4.0], ("counts", ("b",)): [1.0], ("live", ("a",)): [3.0]}
    successor.shared.close()
    two.shared.close()


def test_one_that_is_killed_in_the_middle_of_a_line_loses_nothing_else(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; sys.path.insert(0, os.environ['HERE']); from test_shared_cells import *;"
        "w = Worker(Path(sys.argv[1])); w.add(COUNTS, 'a', by=7); os.write(w.shared._labels_fd, b'[0,[\"half');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    survivor = Worker(tmp_path)
    here = {**os.environ, "HERE": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=here, check=False, timeout=60)
    assert survivor.told() == {("counts", ("a",)): [7.0]}
    successor = Worker(tmp_path)
    successor.add(COUNTS, "b")
    assert survivor.told() == {("counts", ("a",)): [7.0], ("counts", ("b",)): [1.0]}
    successor.shared.close()
    survivor.shared.close()


def test_a_full_disk_spoils_no_row_that_comes_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = Worker(tmp_path), Worker(tmp_path)
    writer.add(COUNTS, "a", by=7)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[: len(line) // 2]))
    with pytest.raises(OSError, match="No space left"):
        writer.add(COUNTS, "b")
    monkeypatch.undo()
    writer.add(COUNTS, "c")
    assert reader.told() == {("counts", ("a",)): [7.0], ("counts", ("c",)): [1.0]}
    writer.shared.close()
    reader.shared.close()


def test_who_finds_nobody_alive_begins_anew(tmp_path: Path) -> None:
    one = Worker(tmp_path)
    one.add(COUNTS, "a")
    one.shared.close()
    two, three = Worker(tmp_path), Worker(tmp_path)
    assert two.told() == three.told() == {}
    two.shared.close()
    three.shared.close()


def test_workers_of_another_layout_are_not_read(tmp_path: Path) -> None:
    old = Worker(tmp_path, "old")
    old.add(COUNTS, "a")
    new = Worker(tmp_path, "new")
    assert new.told() == old.told() == {}
    old.shared.close()
    newer = Worker(tmp_path, "new")
    newer.add(COUNTS, "b")
    assert new.told() == {("counts", ("b",)): [1.0]}
    new.shared.close()
    newer.shared.close()


def test_the_files_are_for_the_gateways_user_alone(tmp_path: Path) -> None:
    one = Worker(tmp_path / "deep" / "folder")
    one.add(COUNTS, "a")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "deep" / "folder").iterdir()}
    assert modes == {"0.cells": 0o600, "0.labels": 0o600, "workers.lock": 0o600}
    one.shared.close()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Worker(tmp_path / "file" / "below")
