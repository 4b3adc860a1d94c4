"""Our Merkle root is RFC 6962's: another implementation comes to the same one."""

from __future__ import annotations

import hashlib

import pytest
from pymerkle import InmemoryTree

from routeiq_audit.merkle import EMPTY, root


@pytest.mark.parametrize("size", [*range(1, 40), 64, 100, 127, 128, 129, 1000])
def test_the_root_is_that_of_another_implementation(size: int) -> None:
    leaves = [b"%d" % number for number in range(size)]
    tree = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
    assert root(leaves) == tree.get_root().hex()


def test_no_leaves_and_one_leaf_are_as_the_standard_says() -> None:
    assert root([]) == EMPTY == hashlib.sha256(b"").hexdigest()
    assert root([b"a"]) == hashlib.sha256(b"\x00a").hexdigest()


def test_any_change_changes_the_root() -> None:
    leaves = [b"a", b"b", b"c"]
    others = ([b"b", b"a", b"c"], [b"a", b"b"], [b"a", b"b", b"c", b"c"], [b"ab", b"c"])
    assert root(leaves) not in [root(other) for other in others]
