"""Which tools a caller may use: everything behind it must agree, and what is not granted is neither seen nor called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_governance.access.tools import Target, permitted
from routeiq_governance.identity.caller import Caller, Entity

TOOLS = ("read", "write")
FILES = Target("mcp", "files", frozenset({"id-7"}), frozenset({"office"}))


def caller(*permissions: tuple[str, Any], **fields: Any) -> Caller:
    entities = [
        Entity(scope, scope, settings={"object_permission": told} if told is not None else {})
        for scope, told in permissions
    ]
    return Caller("key", entities=tuple(entities), **fields)


def asked(who: Caller, *, needed: bool = False, target: Target = FILES) -> frozenset[str] | None:
    return permitted(who, None, target, TOOLS, grant_needed=needed)


@pytest.mark.parametrize(
    "told", [{"mcp_servers": ["files"]}, {"mcp_servers": ["id-7"]}, {"mcp_access_groups": ["office"]}]
)
def test_a_server_is_granted_by_name_id_or_group(told: Mapping[str, Any]) -> None:
    assert asked(caller(("key", told))) == set(TOOLS)


@pytest.mark.parametrize(
    "told",
    [{"mcp_servers": ["other"]}, {"mcp_access_groups": ["files"]}, {"mcp_servers": "files"}, {"mcp_servers": [7]}],
)
def test_what_is_not_granted_is_not_there(told: Mapping[str, Any]) -> None:
    assert asked(caller(("key", told))) == frozenset()


def test_tools_can_be_granted_one_by_one() -> None:
    assert asked(caller(("key", {"mcp_tool_permissions": {"files": ["read", "else"]}}))) == {"read"}
    both = {"mcp_servers": ["files"], "mcp_tool_permissions": {"id-7": ["write"]}}
    assert asked(caller(("key", both))) == {"write"}
    assert asked(caller(("key", {"mcp_servers": ["files"], "mcp_tool_permissions": {"other": ["x"]}}))) == set(TOOLS)


def test_whoever_may_use_one_tool_may_read_the_servers_resources() -> None:
    some = caller(("key", {"mcp_tool_permissions": {"files": ["read"]}}))
    assert permitted(some, None, FILES, ("resources/read", "write"), grant_needed=False) == {"resources/read"}
    none = caller(("key", {"mcp_servers": ["other"]}))
    assert permitted(none, None, FILES, ("resources/read",), grant_needed=False) == frozenset()


def test_a_key_cannot_do_what_its_team_cannot() -> None:
    key, team = {"mcp_servers": ["files"]}, {"mcp_tool_permissions": {"files": ["read"]}}
    assert asked(caller(("key", key), ("team", team))) == {"read"}
    assert asked(caller(("key", None), ("team", team))) == {"read"}
    assert asked(caller(("key", key), ("team", {"mcp_servers": ["other"]}))) == frozenset()


def test_without_any_permission_the_operator_says_what_holds() -> None:
    nobody = caller(("key", None), ("team", {"vector_stores": ["v"]}))
    assert asked(nobody) is None
    assert asked(nobody, needed=True) == frozenset()


def test_an_admin_may_use_all() -> None:
    assert asked(caller(("key", {"mcp_servers": ["other"]}), role="proxy_admin"), needed=True) is None


def test_agents_have_permissions_of_their_own() -> None:
    agent = Target("a2a", "planner", frozenset(), frozenset({"staff"}))
    assert asked(caller(("key", {"mcp_servers": ["planner"]})), target=agent) is None
    assert asked(caller(("key", {"agents": ["planner"]})), target=agent) == set(TOOLS)
    assert asked(caller(("key", {"agent_access_groups": ["staff"]})), target=agent) == set(TOOLS)
    assert asked(caller(("key", {"agents": ["other"]})), target=agent) == frozenset()


PERMISSIONS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "mcp_servers": st.lists(st.sampled_from(["files", "id-7", "other"]), max_size=2),
        "mcp_access_groups": st.lists(st.sampled_from(["office", "lab"]), max_size=2),
        "mcp_tool_permissions": st.dictionaries(
            st.sampled_from(["files", "id-7", "other"]), st.lists(st.sampled_from(TOOLS), max_size=2), max_size=2
        ),
    },
)


@given(st.lists(PERMISSIONS, max_size=4), PERMISSIONS)
def test_one_more_entity_never_widens_what_is_allowed(held: list[Any], more: Any) -> None:
    before = asked(caller(*((f"scope{n}", told) for n, told in enumerate(held))), needed=True)
    after = asked(caller(*((f"scope{n}", told) for n, told in enumerate([*held, more]))), needed=True)
    if any(told and any(told.values()) for told in held):  # before the first permission nothing is granted at all
        assert after is not None
        assert before is not None
        assert after <= before
