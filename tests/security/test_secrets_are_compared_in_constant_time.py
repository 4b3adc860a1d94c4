"""No product code compares a secret with `==`: the time that takes tells how much of a guess was right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = [ROOT / "core/src", ROOT / "plugin_sdk/src", *sorted(ROOT.glob("plugins/*/src"))]

_WORDS = (
    "token|secret|digest|hexdigest|signature|verifier|hmac|mac|password|passwd|passphrase|pepper|csrf|nonce|"
    "key_hash|hashed_key|token_hash|master_key|api_key|bearer|credential|otp|pin"
)
_SENSITIVE = re.compile(rf"(?:^|_)(?:{_WORDS})$|^reveal$", re.IGNORECASE)

# Comparisons that look like it and are none, with the reason. An entry that is no longer found fails, too.
_FILES = "the digest of a file that holds no secret, against one that everybody may read"
_DEFINITIONS = "the digest of a tool's definition, which callers read in full"
ALLOWED = {
    ("core/src/routeiq/plugins/locked_imports.py", "hashlib.sha256(data).hexdigest() != digest"): _FILES,
    (
        "plugins/guard-pii/src/routeiq_guard_pii/coins.py",
        "hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]",
    ): "the checksum inside an address of a coin, against itself",
    ("plugins/mcp/src/routeiq_mcp/hub/pins.py", "digest == pin.approved"): _DEFINITIONS,
    ("plugins/mcp/src/routeiq_mcp/hub/pins.py", "self.of(server).get(tool) == pin"): _DEFINITIONS,
    ("plugins/mcp/src/routeiq_mcp/hub/pins.py", "pins[tool].approved == digest"): _DEFINITIONS,
    ("plugins/audit/src/routeiq_audit/sinks/s3.py", "answer.headers.get('x-amz-meta-sha256') == digest.hex()"): _FILES,
    ("plugins/audit/src/routeiq_audit/walking.py", "hashlib.sha256(body).hexdigest() == piece.sha256"): _FILES,
    ("plugins/governance/src/routeiq_governance/identity/gate.py", "table.c.verifier == before"): (
        "a condition of SQL, on a row that was found by its id and is replaced only if nobody else did meanwhile"
    ),
    (
        "plugins/routing-ml/src/routeiq_routing_ml/artifact/loader.py",
        "hashlib.sha256(data).hexdigest() != entry.sha256",
    ): _FILES,
    ("plugins/routing-ml/src/routeiq_routing_ml/artifact/versions.py", "digest != self.digest"): _FILES,
    ("plugins/routing-ml/src/routeiq_routing_ml/serving/learning.py", "known[0] == loaded.digest"): _FILES,
    ("plugins/routing-ml/src/routeiq_routing_ml/serving/learning.py", "known[0] != scored.digest"): _FILES,
    ("plugins/skills/src/routeiq_skills/store/snapshot.py", "known.digest == skill.digest"): _FILES,
    ("plugins/routing-ml/src/routeiq_routing_ml/serving/loading.py", "before.digest == loaded.digest"): _FILES,
}


def sensitive(node: ast.expr) -> bool:
    """Whether an operand's own name says that it is a secret or stands for one."""
    if isinstance(node, ast.Call):
        return sensitive(node.func)
    if isinstance(node, ast.Subscript):
        index = node.slice
        named = isinstance(index, ast.Constant) and isinstance(index.value, str)
        return (named and _SENSITIVE.search(str(index.value)) is not None) or sensitive(node.value)  # type: ignore[attr-defined]
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if isinstance(node, ast.Attribute) and node.attr in ("encode", "decode", "lower", "strip", "hex"):
        return sensitive(node.value)
    return _SENSITIVE.search(name) is not None and not name.isupper()


def constant(node: ast.expr) -> bool:
    """A literal or a constant by its name: what everybody can read is not guessed."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp | ast.Tuple | ast.List | ast.Set):
        return all(constant(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.isupper()


def comparisons(source: str) -> Iterator[str]:
    """The text of each comparison by `==` or `!=` that may take a telling time."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if not isinstance(operator, ast.Eq | ast.NotEq) or constant(left) or constant(right):
                continue
            if sensitive(left) or sensitive(right):
                yield ast.unparse(node)


def test_no_product_code_compares_secrets_by_their_first_difference() -> None:
    found: set[tuple[str, str]] = set()
    for folder in PRODUCT:
        for path in sorted(folder.rglob("*.py")):
            where = str(path.relative_to(ROOT))
            found |= {(where, text) for text in comparisons(path.read_text(encoding="utf-8"))}
    assert sorted(found - ALLOWED.keys()) == [], "compare with hmac.compare_digest, or explain it in ALLOWED"
    assert sorted(ALLOWED.keys() - found) == [], "gone: take it off the list"


@pytest.mark.parametrize(
    "source",
    [
        "told == token",
        "if self._token != given: pass",
        "key.reveal() == other",
        "row.key_hash == digest_of(told)",
        "hashlib.sha256(x).hexdigest() == known",
        "headers['x-token'] == expected.csrf",
        "claims['nonce'] != attempt",
        "a < b == api_key",
        "told.encode() == password.encode()",
        "self.master_key == other",
    ],
)
def test_a_telling_comparison_is_noticed(source: str) -> None:
    assert list(comparisons(source))


@pytest.mark.parametrize(
    "source",
    [
        "hmac.compare_digest(token, told)",
        "token == ''",
        "token is None",
        "len(token) == other",
        "count_tokens == other",
        "name == TOKEN",
        "signature.parameters == other",
        "token_type == other",
    ],
)
def test_an_honest_comparison_is_left_alone(source: str) -> None:
    assert list(comparisons(source)) == []
