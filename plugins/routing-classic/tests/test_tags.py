"""Tag routing: which deployments a request's tags allow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic.context_window import large_enough
from routeiq_routing_classic.tags import TagRouting
from routeiq_sdk import Context, Deployment, ModelGroup, Principal, Reject
from routeiq_sdk.testing import make_context

REFUSED = "refused"


def deployment(name: str, *tags: str, **info: Any) -> Deployment:
    return Deployment(name, "m", "openai", "gpt", "openai", tags=frozenset(tags), info=info)


def request(tags: Iterable[str] = (), *, agent: str | None = None, policy: Iterable[str] = ()) -> Context:
    ctx = make_context(
        headers={"user-agent": agent} if agent else {}, principal=Principal("key", tags=frozenset(policy))
    )
    ctx.tags = frozenset(tags) | frozenset(policy)  # as the core gathers them
    return ctx


def allowed(
    ctx: Context,
    *deployments: Deployment,
    enabled: bool = True,
    match_any: bool = True,
    prefix: str = "",
) -> str:
    """The ids that are left, written together; or `refused`."""
    routing = TagRouting(enabled=enabled, match_any=match_any, prefix=prefix)
    answer = routing.filter(ctx, ModelGroup("m", deployments), deployments)
    return REFUSED if isinstance(answer, Reject) else "".join(d.id for d in answer)


FREE, PAID, BOTH = deployment("f", "free"), deployment("p", "paid"), deployment("b", "free", "paid")
DEFAULT, PLAIN = deployment("d", "default"), deployment("n")


@pytest.mark.parametrize(
    ("tags", "any_of_them", "all_of_them"),
    [
        ({"free"}, "fb", "fb"),
        ({"free", "paid"}, "fpb", "b"),
        ({"paid", "unheard"}, "pb", REFUSED),
        ({"unheard"}, "d", "d"),
        (set(), "d", "d"),
    ],
)
def test_tags_allow_the_deployments_that_match_any_or_all(tags: set[str], any_of_them: str, all_of_them: str) -> None:
    among = (FREE, PAID, BOTH, DEFAULT)
    assert allowed(request(tags), *among) == any_of_them
    assert allowed(request(tags), *among, match_any=False) == all_of_them


def test_without_default_deployments_unheard_tags_are_refused_and_untagged_requests_go_anywhere() -> None:
    assert allowed(request({"unheard"}), FREE, PLAIN) == REFUSED
    assert allowed(request(), FREE, PLAIN) == "fn"


def test_the_refusal_is_litellms() -> None:
    answer = TagRouting(enabled=True, match_any=True, prefix="").filter(
        request({"b", "a"}), ModelGroup("m", (PLAIN,)), (PLAIN,)
    )
    assert isinstance(answer, Reject)
    assert answer.status == 401
    assert answer.message == "Not allowed to access model due to tags configuration. Passed model=m and tags=['a', 'b']"


def test_a_tag_that_the_model_knows_never_falls_to_the_default_deployments() -> None:
    group = ModelGroup("m", (PAID, DEFAULT))
    routing = TagRouting(enabled=True, match_any=True, prefix="")
    assert isinstance(
        routing.filter(request({"paid"}), group, (DEFAULT,)), Reject
    )  # another filter dropped the paid one


@pytest.mark.parametrize(
    ("tags", "left"),
    [
        ({"!paid"}, "d"),
        ({"!default"}, REFUSED),
        ({"free", "!paid"}, "f"),
        ({"&paid"}, "pb"),
        ({"free", "&paid"}, "b"),
        ({"&free", "!paid"}, "f"),
        ({"&unheard"}, REFUSED),
    ],
)
def test_marked_tags_exclude_and_require(tags: set[str], left: str) -> None:
    assert allowed(request(tags), FREE, PAID, BOTH, DEFAULT) == left


def test_with_a_prefix_only_prefixed_tags_and_those_of_the_key_route() -> None:
    among = (FREE, PAID, DEFAULT)
    assert allowed(request({"free"}), *among, prefix="route:") == "d"
    assert allowed(request({"route:free", "team-a"}), *among, prefix="route:") == "f"
    assert allowed(request({"free"}, policy={"paid"}), *among, prefix="route:") == "p"
    assert allowed(request({"route:unheard"}), *among, prefix="route:") == REFUSED


def test_an_expression_matches_the_user_agent() -> None:
    among = (deployment("c", tag_regex=["^User-Agent: claude-code/"]), DEFAULT)
    assert allowed(request(agent="claude-code/2.0"), *among) == "c"
    assert allowed(request(agent="curl/8"), *among) == "d"
    assert allowed(request(), *among) == "d"


def test_an_expression_is_no_way_round_tags_of_which_all_must_match() -> None:
    strict = deployment("s", "paid", tag_regex=["claude"])
    assert allowed(request({"free"}, agent="claude"), strict, DEFAULT) == "s"
    assert allowed(request({"free"}, agent="claude"), strict, DEFAULT, match_any=False) == "d"


def test_a_model_may_have_it_on_or_off_for_itself() -> None:
    on, off = deployment("x", "free", enable_tag_filtering=True), deployment("y", "free", enable_tag_filtering=False)
    assert allowed(request({"paid"}), on, PLAIN, enabled=False) == REFUSED
    assert allowed(request({"paid"}), off, PLAIN) == "yn"
    assert allowed(request({"paid"}), FREE, PLAIN, enabled=False) == "fn"


_TAGS = st.frozensets(st.sampled_from(["a", "b", "c", "default"]), max_size=3)


@given(st.lists(_TAGS, min_size=1, max_size=4), _TAGS, st.booleans())
def test_what_is_left_matches_or_is_a_default(
    rows: list[frozenset[str]], tags: frozenset[str], match_any: bool
) -> None:
    among = [deployment(str(number), *row) for number, row in enumerate(rows)]
    left = allowed(request(tags), *among, match_any=match_any)
    assert left
    if left == REFUSED:
        assert tags
        return
    for name in left:
        row = rows[int(name)]
        matches = bool(tags & row) if match_any else tags <= row
        assert not tags or matches or "default" in row


def windows(text: str, **sizes: int | None) -> str:
    among = tuple(
        Deployment(name, "m", "openai", "gpt", "openai", max_input_tokens=size) for name, size in sizes.items()
    )
    answer = large_enough(make_context(text), ModelGroup("m", among), among)
    if isinstance(answer, Reject):
        assert (answer.status, answer.code) == (400, "context_length_exceeded")
        assert "litellm.ContextWindowExceededError" in answer.message
        return REFUSED
    return "".join(d.id for d in answer)


def test_deployments_too_small_for_a_prompt_are_left_out() -> None:
    text = "x" * 3000  # 375 tokens at the least, 1000 at the most
    assert windows(text, a=999, b=1000, c=8000) == "bc"
    assert windows(text, a=999, b=None) == "b"
    assert windows(text, a=374, b=600) == "b"
    assert windows(text, a=374, b=100) == REFUSED
    assert windows("", a=1) == "a"
