"""Provenance speaks of exactly these wheels, and only a holder of the key can say it."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from pathlib import Path

import provenance
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SOURCE = {"uri": "git+file:routeiq", "commit": "a" * 40}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("a-1-py3-none-any.whl", "b-1-py3-none-any.whl"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def signed(dist: Path, key: Ed25519PrivateKey) -> dict:
    return provenance.envelope(provenance.statement(dist.glob("*.whl"), SOURCE, "urn:builder"), key)


def test_the_statement_names_commit_builder_and_each_digest(dist: Path, key: Ed25519PrivateKey) -> None:
    told = provenance.verify(signed(dist, key), key.public_key(), dist.glob("*.whl"))
    assert (told["_type"], told["predicateType"]) == (provenance.STATEMENT, provenance.PREDICATE)
    assert [subject["name"] for subject in told["subject"]] == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
    assert told["predicate"]["runDetails"]["builder"]["id"] == "urn:builder"
    assert told["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": "a" * 40}


@pytest.mark.parametrize("harm", ["changed", "added", "removed"])
def test_other_wheels_are_refused(dist: Path, key: Ed25519PrivateKey, harm: str) -> None:
    told = signed(dist, key)
    if harm == "changed":
        (dist / "a-1-py3-none-any.whl").write_bytes(b"b")
    elif harm == "added":
        (dist / "c-1-py3-none-any.whl").write_bytes(b"c")
    else:
        (dist / "a-1-py3-none-any.whl").unlink()
    with pytest.raises(SystemExit, match="is not the file"):
        provenance.verify(told, key.public_key(), dist.glob("*.whl"))


def test_another_key_and_each_changed_part_are_refused(dist: Path, key: Ed25519PrivateKey) -> None:
    told = signed(dist, key)
    with pytest.raises(SystemExit, match="does not fit"):
        provenance.verify(told, Ed25519PrivateKey.generate().public_key(), dist.glob("*.whl"))
    for part in ("payload", "payloadType", "signatures"):
        changed = copy.deepcopy(told)
        if part == "payload":
            statement = json.loads(base64.b64decode(told["payload"]))
            statement["predicate"]["runDetails"]["builder"]["id"] = "urn:thief"
            changed["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
        elif part == "payloadType":
            changed["payloadType"] = "text/plain"
        else:
            changed["signatures"] = []
        with pytest.raises(SystemExit, match="does not fit"):
            provenance.verify(changed, key.public_key(), dist.glob("*.whl"))


@pytest.mark.parametrize("text", [{}, {"payload": "?"}, {"payload": "", "payloadType": "", "signatures": [{}]}])
def test_what_is_no_envelope_is_refused(dist: Path, key: Ed25519PrivateKey, text: dict) -> None:
    with pytest.raises(SystemExit, match="no signed statement"):
        provenance.verify(text, key.public_key(), dist.glob("*.whl"))


def test_source_with_changes_has_no_provenance(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("a")
    git("add", "a")
    git("commit", "-m", "one")
    assert len(provenance.source_of(tmp_path, "here")["commit"]) == 40
    (tmp_path / "b").write_text("b")
    with pytest.raises(SystemExit, match="not committed"):
        provenance.source_of(tmp_path, "here")


def test_the_command_signs_and_verifies(dist: Path, key: Ed25519PrivateKey, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(provenance, "source_of", lambda root, uri: SOURCE)
    private, public, out = tmp_path / "key.pem", tmp_path / "pub.pem", str(tmp_path / "out.json")
    none = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    provenance.main([str(dist), "--out", out, "--key", str(private)])
    provenance.main([str(dist), "--out", out, "--key", str(public), "--verify"])
    (dist / "a-1-py3-none-any.whl").write_bytes(b"other")
    with pytest.raises(SystemExit, match="is not the file"):
        provenance.main([str(dist), "--out", out, "--key", str(public), "--verify"])
