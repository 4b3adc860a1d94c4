"""What a key is narrowed to: paths, prefixes, groups and key types, and what lies within what."""

from __future__ import annotations

import pytest

from routeiq_governance.access.route_groups import GROUPS, KEY_TYPES
from routeiq_governance.access.routes import compiled, problems, scope_of, wanted_scope


@pytest.mark.parametrize(
    ("entry", "path", "allowed"),
    [
        ("/key/info", "/key/info", True),
        ("/key/info", "/key/info/more", True),
        ("/key/info", "/key/information", False),
        ("/key/*", "/key/generate", True),
        ("/key/*", "/keys", False),
        ("/team/{id}/callback", "/team/a/callback", True),
        ("/team/{id}/callback", "/team/a/b/callback", False),
        ("llm_api_routes", "/v1/chat/completions", True),
        ("llm_api_routes", "/openai/deployments/azure/gpt/chat/completions", True),
        ("llm_api_routes", "/v1/messages/count_tokens", True),
        ("llm_api_routes", "/v1/models/openai/gpt-5", True),
        ("llm_api_routes", "/mcp/tools", True),
        ("llm_api_routes", "/key/generate", False),
        ("llm_api_routes", "/routeiq/v1/policies", False),
        ("llm_api_routes_without_mcp", "/mcp", False),
        ("openai_routes", "/v1/messages", False),
        ("anthropic_routes", "/v1/messages", True),
        ("google_routes", "/v1beta/models/gemini-2:generateContent", True),
        ("google_routes", "/v1beta/models/gemini-2:deleteEverything", False),
        ("info_routes", "/key/info", True),
        ("info_routes", "/key/generate", False),
        ("management_routes", "/key/abc/regenerate", True),
        ("management_routes", "/routeiq/v1/roles/role-1", True),
        ("management_routes", "/v1/chat/completions", False),
        ("spend_tracking_routes", "/spend/logs/v2", True),
        ("global_spend_tracking_routes", "/global/spend/report", True),
    ],
)
def test_entries_allow_what_litellm_says(entry: str, path: str, allowed: bool) -> None:
    assert compiled((entry,)).allows(path) is allowed


def test_a_group_is_taken_as_a_path_by_nobody() -> None:
    assert problems(["llm_api_routes", "/key/*", "nonsense"]) == ["nonsense"]
    assert not compiled(("nonsense",)).allows("/key/generate")


@pytest.mark.parametrize("key_type", sorted(KEY_TYPES))
def test_a_key_type_is_its_groups(key_type: str) -> None:
    scope = scope_of({"key_type": key_type})
    assert (None if scope is None else scope.entries) == (KEY_TYPES[key_type] or None)


@pytest.mark.parametrize(
    "settings", [{"key_type": "odd"}, {"key_type": 7}, {"allowed_routes": "x"}, {"allowed_routes": [7]}]
)
def test_what_makes_no_sense_allows_nothing(settings: dict[str, object]) -> None:
    scope = scope_of(settings)
    assert scope is not None
    assert not scope.allows("/v1/chat/completions")


def test_without_either_nothing_is_narrowed() -> None:
    assert scope_of({}) is None
    assert scope_of({"allowed_routes": [], "key_type": "default"}) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "held"),
    [
        (("llm_api_routes",), ("llm_api_routes",), True),
        (("llm_api_routes",), ("openai_routes",), True),
        (("llm_api_routes",), ("management_routes",), False),
        (("llm_api_routes",), ("/v1/chat/completions",), True),
        (("llm_api_routes",), ("/v1/*",), False),
        (("/key/*",), ("/key/info", "/key/generate"), True),
        (("/key/*",), ("/key/inf*",), True),
        (("/key/info",), ("/key/*",), False),
        (("/key/info",), ("/key/info",), True),
        (("management_routes",), ("key_management_routes",), True),
        (("*",), ("management_routes", "/anything"), True),
    ],
)
def test_a_scope_holds_only_what_it_certainly_allows(
    mine: tuple[str, ...], theirs: tuple[str, ...], held: bool
) -> None:
    assert compiled(mine).holds(compiled(theirs)) is held


def test_what_a_scope_holds_it_allows() -> None:
    for mine in GROUPS:
        for theirs in GROUPS:
            big, small = compiled((mine,)), compiled((theirs,))
            if big.holds(small):
                literal = [template for template in GROUPS[theirs] if "{" not in template]
                assert all(big.allows(path) for path in literal), (mine, theirs)


def test_an_unnarrowed_key_is_wider_than_any() -> None:
    assert wanted_scope(None, None) is None
