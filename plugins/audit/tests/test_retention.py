"""Retention deletes what is old and nothing else, and the chain holds after it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from routeiq_audit.retention import Retention
from routeiq_audit.sealed import manifest_of, tombstone_of
from routeiq_audit.verifying import verify
from routeiq_sdk.testing.services import FakeClock

from .trails import FORGER, SIGNER, keep, sealed_objects, trail

_FEBRUARY = 1_769_904_000_000_000_000
"""2026-02-01; the trails of these tests begin on 2026-01-02."""


def retention(folder: Path, days: int) -> Retention:
    return Retention([folder], days, SIGNER, FakeClock(_FEBRUARY))


def test_old_objects_go_and_the_chain_holds(tmp_path: Path) -> None:
    objects = trail(tmp_path, *([2] * 30))  # one an hour: 24 on the 2nd, 6 on the 3rd of January
    assert retention(tmp_path, 29).delete_old() == 24
    assert [(tmp_path / one.name).exists() for one in objects] == [False] * 24 + [True] * 6
    report = verify(tmp_path)
    assert report.ok
    assert (report.chains[0].deleted, report.chains[0].first, report.chains[0].last) == (48, 49, 60)
    assert retention(tmp_path, 29).delete_old() == 0
    assert (tmp_path / tombstone_of(objects[0].name)).exists()


def test_young_objects_stay(tmp_path: Path) -> None:
    trail(tmp_path, 2, 2)
    assert retention(tmp_path, 31).delete_old() == 0
    assert verify(tmp_path).events == 4


def test_a_planted_manifest_does_not_make_the_gateway_delete_another_object(tmp_path: Path) -> None:
    (one,) = trail(tmp_path, 2)
    planted = tmp_path / one.manifest_name.replace("dt=2026-01-02", "dt=2020-01-02")
    planted.parent.mkdir(parents=True)
    shutil.copy(tmp_path / one.manifest_name, planted)  # well signed, and it names the young object
    assert retention(tmp_path, 100).delete_old() == 0
    assert (tmp_path / one.name).exists()
    assert not (tmp_path / tombstone_of(one.name)).exists()


def test_an_object_of_somebody_elses_key_is_kept(tmp_path: Path) -> None:
    (one,) = sealed_objects((2,), signer=FORGER)
    keep(tmp_path, [one])
    assert retention(tmp_path, 1).delete_old() == 0
    assert (tmp_path / one.name).exists()
    assert (tmp_path / manifest_of(one.name)).exists()


@pytest.mark.parametrize("spoiled", [b"", b"{", b"[]", b"\xff"])
def test_an_unreadable_manifest_keeps_its_object_and_no_other(tmp_path: Path, spoiled: bytes) -> None:
    first, *others = trail(tmp_path, 2, 2, 2)
    (tmp_path / first.manifest_name).write_bytes(spoiled)
    assert retention(tmp_path, 1).delete_old() == 2
    assert [(tmp_path / one.name).exists() for one in (first, *others)] == [True, False, False]
