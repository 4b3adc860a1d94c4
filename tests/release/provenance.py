"""Says from what and by whom the wheels were made: an in-toto statement with SLSA provenance, signed if there is a key.

Run by `nox -s provenance`. A signature is a DSSE envelope with Ed25519; without a key the statement is written alone,
for a publisher that signs by its identity. `--verify` checks both and every wheel.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
PAYLOAD = "application/vnd.in-toto+json"
BUILD = "urn:routeiq:build:wheels:v1"
"""What is built and how: `python -m build --wheel` of each distribution, from one commit."""


def statement(wheels: Iterable[Path], source: Mapping[str, str], builder: str) -> dict[str, Any]:
    """The statement. `source` is the repository's name (`uri`) and its `commit`, `builder` a URI."""
    wheels = sorted(wheels)
    subjects = [{"name": wheel.name, "digest": {"sha256": _sha256(wheel)}} for wheel in wheels]
    if not subjects:
        raise SystemExit("there are no wheels to speak of")
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"source": source["uri"], "commit": source["commit"]},
                "internalParameters": {"python": sys.version.split()[0], "backend": "hatchling"},
                "resolvedDependencies": [{"uri": source["uri"], "digest": {"gitCommit": source["commit"]}}],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"finishedOn": _last_written(wheels)},
            },
        },
    }


def envelope(told: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The statement in a DSSE envelope."""
    payload = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    signature = {"keyid": _key_id(key.public_key()), "sig": base64.b64encode(key.sign(pae(payload))).decode()}
    return {"payloadType": PAYLOAD, "payload": base64.b64encode(payload).decode(), "signatures": [signature]}


def verify(signed: Mapping[str, Any], key: Ed25519PublicKey, wheels: Iterable[Path]) -> dict[str, Any]:
    """The statement, if the key signed it and it speaks of exactly these wheels. Raises `SystemExit`."""
    try:
        payload = base64.b64decode(signed["payload"], validate=True)
        signatures = [base64.b64decode(row["sig"], validate=True) for row in signed["signatures"]]
        kind = signed["payloadType"]
    except (KeyError, TypeError, ValueError):
        raise SystemExit("this is no signed statement") from None
    if kind != PAYLOAD or not any(_fits(key, signature, payload) for signature in signatures):
        raise SystemExit("the signature does not fit")
    told: dict[str, Any] = json.loads(payload)
    if told.get("_type") != STATEMENT or told.get("predicateType") != PREDICATE:
        raise SystemExit("the statement is of another kind")
    stated = {row["name"]: row["digest"]["sha256"] for row in told["subject"]}
    present = {wheel.name: _sha256(wheel) for wheel in wheels}
    for name in sorted(stated.keys() | present.keys()):
        if stated.get(name) != present.get(name):
            raise SystemExit(f"{name} is not the file that the statement speaks of")
    return told


def pae(payload: bytes) -> bytes:
    """What DSSE signs: the payload with its type and both lengths before."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def source_of(root: Path, uri: str) -> dict[str, str]:
    """The commit that lies in `root`. Raises `SystemExit` when there is more in it than was committed."""
    if _git(root, "status", "--porcelain"):
        raise SystemExit("the source has changes that are not committed: no commit stands for these wheels")
    return {"uri": uri, "commit": _git(root, "rev-parse", "HEAD")}


def _fits(key: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, pae(payload))
    except InvalidSignature:
        return False
    return True


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _last_written(wheels: Iterable[Path]) -> str:
    newest = max(wheel.stat().st_mtime for wheel in wheels)
    return datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Write or verify the provenance of wheels.")
    parser.add_argument("dist", type=Path, help="the folder of wheels")
    parser.add_argument("--out", type=Path, default=Path("routeiq.provenance.json"))
    parser.add_argument("--source", default="git+file:routeiq", metavar="URI", help="what the repository is called")
    parser.add_argument("--builder", default="urn:routeiq:builder:local", metavar="URI", help="who built")
    parser.add_argument("--key", type=Path, help="an Ed25519 key, PEM: private to sign, public to verify")
    parser.add_argument("--verify", action="store_true", help="check --out instead of writing it")
    told = parser.parse_args(arguments)
    wheels = sorted(told.dist.glob("*.whl"))
    if told.verify:
        if told.key is None:
            parser.error("--verify needs --key")
        public = serialization.load_pem_public_key(told.key.read_bytes())
        if not isinstance(public, Ed25519PublicKey):
            raise SystemExit(f"{told.key} is not an Ed25519 key")
        found = verify(json.loads(told.out.read_text(encoding="utf-8")), public, wheels)
        print(
            f"{len(wheels)} wheels, of commit {found['predicate']['buildDefinition']['externalParameters']['commit']}"
        )
        return
    made = statement(wheels, source_of(Path(__file__).parent, told.source), told.builder)
    if told.key is not None:
        private = serialization.load_pem_private_key(told.key.read_bytes(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise SystemExit(f"{told.key} is not an Ed25519 key")
        made = envelope(made, private)
    told.out.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(f"{told.out}: {len(wheels)} wheels, {'signed' if told.key is not None else 'not signed'}")


if __name__ == "__main__":
    main()
