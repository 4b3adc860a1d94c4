"""Sets of actions: what they allow, what they cover, what is no pattern."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_governance.access.permission import Permission
from routeiq_governance.access.roles import BUILT_IN

PATTERNS = ["key:create", "key:read", "team:read", "key:*", "team:*", "*:read", "*:list", "*:*"]
ACTIONS = ["key:create", "key:read", "team:read", "team:list", "odd:create", "odd:read"]
patterns = st.lists(st.sampled_from(PATTERNS), max_size=4)


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("key:create", {"key:create"}),
        ("key:*", {"key:create", "key:read"}),
        ("*:read", {"key:read", "team:read", "odd:read"}),
        ("*:*", set(ACTIONS)),
    ],
)
def test_patterns_allow_what_they_say(pattern: str, allowed: set[str]) -> None:
    permission = Permission.of([pattern])
    assert {action for action in ACTIONS if permission.allows(action)} == allowed


@given(patterns, patterns)
def test_a_set_that_covers_another_allows_all_of_it(mine: list[str], theirs: list[str]) -> None:
    big, small = Permission.of(mine), Permission.of(theirs)
    if big.covers(small):
        assert all(big.allows(action) for action in ACTIONS if small.allows(action))


@given(patterns, patterns)
def test_a_union_covers_both_and_is_written_as_it_is_read(mine: list[str], theirs: list[str]) -> None:
    first, second = Permission.of(mine), Permission.of(theirs)
    joined = first.joined(second)
    assert joined.covers(first)
    assert joined.covers(second)
    assert Permission.of(joined.patterns()).covers(joined)


@pytest.mark.parametrize("text", ["key", "key:", ":read", "Key:read", "key:read ", "key:read:more", "k*:read", ""])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no action"):
        Permission.of([text])


def test_no_role_but_the_owner_holds_what_only_owners_may() -> None:
    for name, role in BUILT_IN.items():
        held = role.permission.joined(role.below)
        assert held.everything == (name == "owner")
        assert held.allows("gateway:permit") == (name == "owner"), name
        assert held.allows("spend:correct") == (name in ("owner", "billing")), name


def test_roles_that_read_change_nothing() -> None:
    for name in ("auditor", "viewer"):
        role = BUILT_IN[name]
        assert not role.permission.resources
        assert all(action.endswith((":read", ":list")) for action in role.permission.actions)
        assert role.permission.verbs <= {"read", "list"}
