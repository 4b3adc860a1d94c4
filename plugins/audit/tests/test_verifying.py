"""What is not as it was sealed is found, and the first bad sequence number is named."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from routeiq_audit.canonical import canonical
from routeiq_audit.chain import Head, chained
from routeiq_audit.durable import create_once
from routeiq_audit.making import make_sealed
from routeiq_audit.sealed import Sealed, tombstone_of
from routeiq_audit.signing import Signer
from routeiq_audit.verifying import verify

from .trails import FORGER, SIGNER, STREAM, entry, keep, lines, rename, rewrite, sealed_objects, trail

MUTATIONS = 100


def test_a_trail_that_nobody_touched_holds(tmp_path: Path) -> None:
    trail(tmp_path, 5, 1, 7)
    report = verify(tmp_path)
    assert report.ok
    assert report.first_bad is None
    assert not report.pinned
    (chain,) = report.chains
    assert (chain.stream, chain.objects, chain.events, chain.first, chain.last) == (STREAM, 3, 13, 1, 13)
    assert report.keys == [SIGNER.key_id]


def test_an_empty_folder_proves_nothing(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert not report.ok
    assert "no audit objects" in report.problems[0]


def test_a_bucket_with_a_prefix_is_found_below_the_folder(tmp_path: Path) -> None:
    trail(tmp_path / "audit" / "prod", 3)
    assert verify(tmp_path).ok


def test_every_random_mutation_is_found_at_its_place(tmp_path: Path) -> None:
    objects = trail(tmp_path, 7, 1, 12, 30, 9)
    rng = random.Random(42)
    for number in range(MUTATIONS):
        how = MUTATE[number % len(MUTATE)]
        one = rng.choice(objects)
        copy = tmp_path.with_name(f"{tmp_path.name}-copy")
        shutil.copytree(tmp_path, copy)
        wrong = how(copy, objects, one, rng)
        report = verify(copy)
        assert (report.ok, report.first_bad) == (False, wrong), how.__name__
        shutil.rmtree(copy)


def _flip(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    path = folder / one.name
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return one.first_seq


def _cut(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    path = folder / one.name
    path.write_bytes(path.read_bytes()[: rng.randrange(one.manifest and len(one.body))])
    return one.first_seq


def _append(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    with (folder / one.name).open("ab") as file:
        file.write(rng.choice((b"\n", b"\0" * 9, one.body)))
    return one.first_seq


def _edit(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    changed = lines(folder, one)
    at = rng.randrange(len(changed))
    told = orjson.loads(changed[at])
    told["event"]["principal"] = "somebody else"
    changed[at] = canonical(told)
    rewrite(folder, one, changed)
    return one.first_seq + at


def _delete(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    changed = lines(folder, one)
    at = rng.randrange(len(changed))
    del changed[at]
    rewrite(folder, one, changed)
    return one.first_seq + at


def _insert(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    changed = lines(folder, one)
    at = rng.randrange(len(changed))
    changed.insert(at, changed[at])
    rewrite(folder, one, changed)
    return one.first_seq + at + 1


def _swap(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    changed = lines(folder, one)
    if len(changed) == 1:
        return _delete(folder, objects, one, rng)
    at = rng.randrange(len(changed) - 1)
    changed[at], changed[at + 1] = changed[at + 1], changed[at]
    rewrite(folder, one, changed)
    return one.first_seq + at


def _edit_and_rename(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    _edit(folder, objects, one, rng)
    rename(folder, one, hashlib.sha256((folder / one.name).read_bytes()).hexdigest())
    return one.first_seq  # the manifest's signature does not fit any more


def _forge_hashes(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    """An event is changed, and all hashes after it in the object are made anew."""
    before = orjson.loads(lines(folder, one)[0])
    entries = [entry(one.first_seq + at) for at in range(one.count)]
    entries[rng.randrange(one.count)] = entry(9_999)
    rewrite(folder, one, chained(STREAM, Head(one.first_seq - 1, before["prev"]), entries).lines)
    return one.first_seq


def _drop_object(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    (folder / one.name).unlink()
    return one.first_seq


def _drop_manifest(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    (folder / one.manifest_name).unlink()
    return one.first_seq


def _drop_both(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    _drop_object(folder, objects, one, rng)
    return _drop_manifest(folder, objects, one, rng)


def _drop_tail(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    at = objects.index(one)
    for each in objects[at:]:
        _drop_both(folder, objects, each, rng)
    return one.first_seq


def _swap_objects(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    at = objects.index(one) % (len(objects) - 1)
    (folder / objects[at].name).write_bytes(objects[at + 1].body)
    return objects[at].first_seq


def _edit_manifest(folder: Path, objects: list[Sealed], one: Sealed, rng: random.Random) -> int:
    path = folder / one.manifest_name
    told = orjson.loads(path.read_bytes())
    field = rng.choice(sorted(told.keys() - {"object", "sha256", "first_seq", "last_seq"}))
    told[field] = told[field] + 1 if isinstance(told[field], int) else f"f{told[field]}"[:-1]
    path.write_bytes(canonical(told))
    return one.first_seq


MUTATE: tuple[Callable[[Path, list[Sealed], Sealed, random.Random], int], ...] = (
    _flip,
    _cut,
    _append,
    _edit,
    _delete,
    _insert,
    _swap,
    _edit_and_rename,
    _forge_hashes,
    _drop_object,
    _drop_manifest,
    _drop_both,
    _drop_tail,
    _swap_objects,
    _edit_manifest,
)


@pytest.mark.parametrize("bit", range(8))
def test_a_flip_of_any_byte_is_found(tmp_path: Path, bit: int) -> None:
    (one,) = trail(tmp_path, 1)
    for at in range(len(one.body)):
        data = bytearray(one.body)
        data[at] ^= 1 << bit
        (tmp_path / one.name).write_bytes(data)
        assert verify(tmp_path).first_bad == 1, at


def test_without_a_head_nobody_can_say_where_the_end_is(tmp_path: Path) -> None:
    objects = trail(tmp_path, 4)
    (tmp_path / objects[0].head_name).unlink()
    report = verify(tmp_path)
    assert report.first_bad == 5
    assert "no signed head" in str(report.chains[0].problem)


def test_a_head_whose_chain_is_gone_is_told(tmp_path: Path) -> None:
    trail(tmp_path, 4)
    shutil.rmtree(tmp_path / "v1")
    report = verify(tmp_path)
    assert not report.ok
    assert report.first_bad == 1


def test_a_forged_head_does_not_count(tmp_path: Path) -> None:
    objects = trail(tmp_path, 4, 4)
    told = orjson.loads(objects[0].head)
    (tmp_path / objects[0].head_name).write_bytes(canonical(told | {"seq": 4, "created": "2026-02-02T00:00:00.000Z"}))
    (tmp_path / objects[1].name).unlink()
    (tmp_path / objects[1].manifest_name).unlink()
    report = verify(tmp_path)
    assert not report.ok
    assert "signature" in report.problems[0]


def test_an_object_that_is_still_being_written_is_no_error(tmp_path: Path) -> None:
    objects = sealed_objects((3, 3))
    keep(tmp_path, objects[:1])
    path = tmp_path / objects[1].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(objects[1].body)
    report = verify(tmp_path)
    assert report.ok
    assert report.chains[0].last == 3
    assert "still being written" in report.chains[0].notes[0]
    (tmp_path / objects[0].head_name).unlink()
    assert not verify(tmp_path).ok  # but that excuses no missing head


def test_a_trail_signed_anew_by_a_forger_is_found_by_a_pinned_key(tmp_path: Path) -> None:
    objects = sealed_objects((3, 3), signer=FORGER)
    keep(tmp_path, objects)
    assert verify(tmp_path).ok  # nothing beside the objects can tell
    report = verify(tmp_path, keys=[SIGNER.public_pem])
    assert report.first_bad == 1
    assert report.pinned
    assert verify(tmp_path, keys=[FORGER.public_pem]).ok


def test_a_trail_signed_anew_by_a_forger_is_found_by_an_anchor(tmp_path: Path) -> None:
    trail(tmp_path / "anchor", 3, 3)
    keep(tmp_path / "here", _forged((3, 3)))
    report = verify(tmp_path / "here", anchors=[tmp_path / "anchor"])
    assert report.first_bad == 6
    assert "the anchor" in str(report.chains[0].problem)


def _forged(sizes: tuple[int, ...]) -> list[Sealed]:
    head, made = Head(), list[Sealed]()
    for size in sizes:
        entries = [entry(1_000 + each) for each in range(size)]
        one, head = make_sealed(STREAM, "ALL", chained(STREAM, head, entries), "2026-01-02T00:00:00.000Z", FORGER)
        made.append(one)
    return made


def test_a_tail_that_is_gone_with_its_head_put_back_is_found_by_an_anchor(tmp_path: Path) -> None:
    objects = trail(tmp_path / "anchor", 3, 3)
    keep(tmp_path / "here", objects[:1])  # an older head is as well signed as the newest
    assert verify(tmp_path / "here").ok
    report = verify(tmp_path / "here", anchors=[tmp_path / "anchor"])
    assert report.first_bad == 4
    assert "knows 6 events" in str(report.chains[0].problem)


def test_an_anchor_that_is_behind_is_no_error(tmp_path: Path) -> None:
    objects = trail(tmp_path / "here", 3, 3)
    keep(tmp_path / "anchor", objects[:1])
    assert verify(tmp_path / "here", anchors=[tmp_path / "anchor"]).ok


def test_chains_of_tenants_and_workers_are_walked_each_on_its_own(tmp_path: Path) -> None:
    trail(tmp_path, 3, tenant="team a/b")
    trail(tmp_path, 4, tenant="team-b")
    (other,) = trail(tmp_path, 5, stream="gtest-1")
    report = verify(tmp_path)
    assert report.ok
    assert [chain.events for chain in report.chains] == [3, 4, 5]
    assert report.events == 12
    (tmp_path / other.name).unlink()
    report = verify(tmp_path)
    assert [chain.ok for chain in report.chains] == [True, True, False]
    assert verify(tmp_path, stream=STREAM).ok
    assert not verify(tmp_path, stream="gtest-1").ok


def test_an_object_of_one_tenant_does_not_pass_for_anothers(tmp_path: Path) -> None:
    trail(tmp_path, 3, tenant="a")
    shutil.copytree(tmp_path / "v1/tenant=a", tmp_path / "v1/tenant=b")
    report = verify(tmp_path)
    assert [(chain.tenant, chain.first_bad) for chain in report.chains] == [("a", None), ("b", 1)]


def _bury(folder: Path, one: Sealed, signer: Signer = SIGNER) -> None:
    told = orjson.loads(one.manifest)
    stone = {
        name: told[name] for name in ("stream", "tenant", "object", "sha256", "first_seq", "last_seq", "last_hash")
    }
    stone |= {"manifest": hashlib.sha256(one.manifest).hexdigest(), "deleted": "2026-03-01T00:00:00.000Z"}
    create_once(folder / tombstone_of(one.name), signer.signed(stone))
    (folder / one.name).unlink()


def test_objects_that_retention_deleted_leave_a_chain_that_holds(tmp_path: Path) -> None:
    objects = trail(tmp_path, 3, 4, 5)
    for one in objects[:2]:
        _bury(tmp_path, one)
    report = verify(tmp_path)
    (chain,) = report.chains
    assert report.ok
    assert (chain.deleted, chain.first, chain.last, chain.events) == (7, 8, 12, 5)


def test_a_tombstone_counts_only_for_its_object_and_with_the_gateways_signature(tmp_path: Path) -> None:
    objects = trail(tmp_path, 3, 4)
    _bury(tmp_path, objects[0], FORGER)
    assert verify(tmp_path).first_bad == 1
    (tmp_path / tombstone_of(objects[0].name)).unlink()
    (tmp_path / objects[0].name).write_bytes(objects[0].body)
    _bury(tmp_path, objects[0])
    shutil.copy(tmp_path / tombstone_of(objects[0].name), tmp_path / tombstone_of(objects[1].name))
    (tmp_path / objects[1].name).unlink()
    assert verify(tmp_path).first_bad == 4


def test_progress_is_told_object_by_object(tmp_path: Path) -> None:
    trail(tmp_path, 1, 1, 1)
    heard: list[tuple[int, int]] = []
    verify(tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]
