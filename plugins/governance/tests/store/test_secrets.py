"""What is sealed is read again only where it belongs, with a secret of the installation; a secret is made once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from routeiq_governance.store.secrets import Sealer, Unsealable, open_sealer
from routeiq_sdk import PluginError, Secret

OLD, NEW = b"the first secret", b"the second secret"


def test_what_is_sealed_is_opened_at_its_place_alone() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(b"value", "credentials/a")
    assert b"value" not in sealed
    assert sealed != sealer.seal(b"value", "credentials/a"), "the same value never looks the same"
    assert sealer.open(sealed, "credentials/a") == b"value"
    with pytest.raises(Unsealable, match="credentials/b"):
        sealer.open(sealed, "credentials/b")


def test_every_bit_of_what_is_sealed_counts() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(b"v", "p")
    for position in range(len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(Unsealable):
            sealer.open(bytes(broken), "p")
    for short in range(len(sealed)):
        with pytest.raises(Unsealable):
            sealer.open(sealed[:short], "p")


def test_a_new_secret_seals_and_the_old_one_still_opens() -> None:
    sealed = Sealer([OLD]).seal(b"value", "p")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "p") == b"value"
    with pytest.raises(Unsealable):
        Sealer([OLD]).open(both.seal(b"value", "p"), "p")
    with pytest.raises(Unsealable):
        Sealer([NEW]).open(sealed, "p")


def test_a_verifier_tells_the_right_key_an_older_pepper_and_all_else_apart() -> None:
    old = Sealer([OLD]).verifier("sk-a")
    both = Sealer([NEW, OLD])
    assert both.verifies("sk-a", both.verifier("sk-a")) is True
    assert both.verifies("sk-a", old) is None
    assert both.verifies("sk-b", old) is False
    assert Sealer([NEW], [OLD]).verifies("sk-a", old) is True


def test_several_workers_that_start_at_once_make_one_secret(tmp_path: Path) -> None:
    found: list[Sealer] = []
    ready = threading.Barrier(8)

    def start() -> None:
        ready.wait()
        found.append(open_sealer((), tmp_path, shared=False))

    workers = [threading.Thread(target=start) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len({sealer.verifier("sk-a") for sealer in found}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_replicas_must_be_given_their_secret(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="encryption_key"):
        open_sealer((), tmp_path, shared=True)
    open_sealer((Secret("a secret that all of them know"),), tmp_path, shared=True)
    assert list(tmp_path.iterdir()) == []


def test_an_emptied_file_of_the_secret_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"")
    with pytest.raises(PluginError, match="holds no secret"):
        open_sealer((), tmp_path, shared=False)
