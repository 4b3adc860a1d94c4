"""How keys are made and found, and which files are no keys."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from routeiq_routing_ml.artifact import keys
from routeiq_routing_ml.artifact.errors import ArtifactError


def test_a_new_key_signs_and_its_public_file_verifies(tmp_path: Path) -> None:
    key = keys.generate(tmp_path / "keys", name="trainer")
    trusted = keys.trusted(tmp_path / "keys")
    assert list(trusted) == [key.id]
    assert trusted.verify(key.id, key.sign(b"text"), b"text")
    assert not trusted.verify(key.id, key.sign(b"text"), b"test")
    assert not trusted.verify("0" * 16, key.sign(b"text"), b"text")
    assert stat.S_IMODE((tmp_path / "keys" / "signing.key").stat().st_mode) == 0o600
    assert base64.b64decode((tmp_path / "keys" / "trainer.pub").read_text()) == key.public
    assert sorted(os.listdir(tmp_path / "keys")) == ["signing.key", "trainer.pub"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = keys.generate(tmp_path)
    with pytest.raises(ArtifactError, match="there already"):
        keys.generate(tmp_path)
    assert keys.signing_key(tmp_path).id == key.id


def test_many_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {key.id for key in pool.map(keys.signing_key, [tmp_path / "keys"] * 24)}
    assert ids == set(keys.trusted(tmp_path / "keys"))
    assert len(ids) == 1


def test_a_public_file_that_was_lost_is_written_again(tmp_path: Path) -> None:
    key = keys.generate(tmp_path)
    (tmp_path / "signing.pub").unlink()
    assert keys.signing_key(tmp_path).id == key.id
    assert key.id in keys.trusted(tmp_path)


def test_the_text_of_a_key_holds_no_secret(tmp_path: Path) -> None:
    key = keys.generate(tmp_path)
    assert repr(key) == str(key) == f"SigningKey({key.id})"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    keys.generate(tmp_path)
    (tmp_path / "signing.key").chmod(mode)
    with pytest.raises(ArtifactError, match=r"signing\.key: others may read .* chmod 600"):
        keys.signing_key(tmp_path)


def test_a_broken_or_foreign_private_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    foreign = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content, says in ((b"", "PEM"), (b"\0" * 100, "PEM"), (foreign, "Ed25519"), (b"x" * 5000, "5000 bytes")):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(ArtifactError, match=rf"signing\.key: .*{says}"):
            keys.signing_key(tmp_path)


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / "mounted", tmp_path / "outside"
    key = keys.generate(inside / "..data")
    (inside / "signing.key").symlink_to("..data/signing.key")
    (inside / "signing.pub").symlink_to("..data/signing.pub")
    assert keys.signing_key(inside).id == key.id
    keys.generate(outside, name="other")
    (inside / "other.pub").symlink_to(outside / "other.pub")
    with pytest.raises(ArtifactError, match=r"other\.pub: a link that leaves its folder"):
        keys.trusted(inside)
    (inside / "signing.key").unlink()
    (inside / "signing.key").symlink_to(outside / "signing.key")
    with pytest.raises(ArtifactError, match=r"signing\.key: a link that leaves its folder"):
        keys.signing_key(inside)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        "not base64 at all",
        "A" * 5000,
        "é" * 43 + "=",
        base64.b64encode(bytes(31)).decode(),
        "B" * 42 + "C=",
    ],
)
def test_a_broken_public_key_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.pub").write_text(text)
    with pytest.raises(ArtifactError, match=r"x\.pub: "):
        keys.trusted(tmp_path)


@pytest.mark.parametrize("y", sorted(keys._SMALL_ORDER))
@pytest.mark.parametrize("sign", [0, 1])
def test_a_key_for_which_anybody_can_sign_is_refused(tmp_path: Path, y: int, sign: int) -> None:
    (tmp_path / "x.pub").write_bytes(base64.b64encode((y | sign << 255).to_bytes(32, "little")))
    with pytest.raises(ArtifactError, match="anybody"):
        keys.trusted(tmp_path)


def test_a_fifo_is_no_key_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pub")
    with pytest.raises(ArtifactError, match="not a plain file"):
        keys.trusted(tmp_path)


def test_extra_keys_are_texts_or_files(tmp_path: Path) -> None:
    first, second = keys.generate(tmp_path / "a"), keys.generate(tmp_path / "b")
    text = (tmp_path / "a" / "signing.pub").read_text()
    assert set(keys.trusted(tmp_path / "none", [text, tmp_path / "b" / "signing.pub"])) == {first.id, second.id}
    assert set(keys.trusted(tmp_path / "a", [str(tmp_path / "b" / "signing.pub")])) == {first.id, second.id}
    assert len(keys.trusted(tmp_path / "none")) == 0
    with pytest.raises(ArtifactError, match=r"missing\.pub: no such file"):
        keys.trusted(tmp_path / "a", [tmp_path / "missing.pub"])
