"""Lists are kept for as long as servers say, and a private one is shown to nobody else."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_mcp.hub.lists import KEYS
from routeiq_sdk import Principal

from .world import Scripted, call, tool, world

ANN, BOB = Principal("key-ann", user="ann"), Principal("key-bob", user="bob")
PUBLIC = {"ttlMs": 10_000, "cacheScope": "public"}


async def test_a_public_list_is_asked_for_once_for_all() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        w["a"].hints = PUBLIC
        await w.names("a", call(ANN))
        await w.names(None, call(BOB))
        assert w["a"].count("tools/list") == 1
        w.gateway.clock.advance(10.1)
        await w.names("a", call(BOB))
        assert w["a"].count("tools/list") == 2


async def test_a_private_list_is_asked_for_once_a_caller() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        w["a"].hints = {"ttlMs": 10_000, "cacheScope": "private"}
        for principal in (ANN, ANN, BOB, BOB):
            await w.names("a", call(principal))
        assert w["a"].count("tools/list") == 2


async def test_a_list_that_is_stale_at_once_is_asked_for_each_time() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        w["a"].hints = {"ttlMs": 0, "cacheScope": "public"}
        for _ in range(3):
            assert (await w.ask("a", "tools/list"))["ttlMs"] == 0
        assert w["a"].count("tools/list") == 3
        await w.text("a", "x")
        assert w["a"].count("tools/list") == 3  # a call needs the definition alone, and knows it


async def test_a_server_that_says_nothing_is_asked_anew_after_a_while() -> None:
    async with world(Scripted("a", tool("x")), list_seconds=60) as w:
        await w.names("a", call(ANN))
        w.gateway.clock.advance(59)
        await w.names("a", call(BOB))
        assert w["a"].count("tools/list") == 1
        w.gateway.clock.advance(2)
        await w.names("a", call(BOB))
        assert w["a"].count("tools/list") == 2


async def test_the_operator_may_overrule_how_long_a_list_is_kept() -> None:
    async with world(Scripted("a", tool("x")), servers={"a": {"list_seconds": 5}}) as w:
        w["a"].hints = {"ttlMs": 0, "cacheScope": "public"}
        await w.names("a")
        w.gateway.clock.advance(4)
        await w.names("a")
        assert w["a"].count("tools/list") == 1


async def test_a_server_that_is_told_who_calls_has_private_lists_unless_it_says_otherwise() -> None:
    async with world(Scripted("a", tool("x")), servers={"a": {"extra_headers": ["x-tenant"]}}) as w:
        await w.names("a", call(ANN, x_tenant="1"))
        await w.names("a", call(ANN, x_tenant="2"))
        await w.names("a", call(ANN, x_tenant="2"))
        assert w["a"].count("tools/list") == 2


async def test_many_who_ask_at_once_are_one_question() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        w["a"].hints, w["a"].hold = PUBLIC, asyncio.Event()
        asking = [asyncio.create_task(w.names("a")) for _ in range(20)]
        await asyncio.sleep(0)
        w["a"].hold.set()
        assert await asyncio.gather(*asking) == [["x"]] * 20
        assert w["a"].count("tools/list") == 1


async def test_what_was_asked_before_a_change_is_not_kept_after_it() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        w["a"].hints, w["a"].hold = PUBLIC, asyncio.Event()
        asking = asyncio.create_task(w.names("a"))
        async with asyncio.timeout(5):
            while not w["a"].asked:
                await asyncio.sleep(0)
        w.hub.registry.servers["a"].lists.drop("tools/list")
        w["a"].hold.set()
        await asking
        await w.names("a")
        assert w["a"].count("tools/list") == 2


async def test_private_lists_are_bounded() -> None:
    async with world(Scripted("a", tool("x")), private_lists=3) as w:
        w["a"].hints = {"ttlMs": 10_000, "cacheScope": "private"}
        for number in range(100):
            await w.names("a", call(Principal(f"key-{number}")))
        lists = w.hub.registry.servers["a"].lists
        assert len(lists._kept) <= 3 * len(KEYS)


async def test_clients_may_share_a_list_only_where_nobody_is_asked_who_they_are() -> None:
    virtual = {"open": {"servers": ["a"], "auth": "none"}, "closed": {"servers": ["a"]}}
    async with world(Scripted("a", tool("x")), virtual_servers=virtual) as w:
        w["a"].hints = PUBLIC
        assert (await w.ask("open", "tools/list"))["cacheScope"] == "public"
        assert (await w.ask("closed", "tools/list"))["cacheScope"] == "private"
        w.gateway.clock.advance(4)
        assert (await w.ask("open", "tools/list"))["ttlMs"] == 6000


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["list", "call", "merged", "change", "wait", "resources"])),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, ttl=st.sampled_from([None, 0, 5000, 60_000]), limit=st.integers(1, 4))
async def test_a_private_list_is_never_shown_to_another_caller(steps, ttl, limit) -> None:
    """Whatever happens in whatever order: each sees the tool that the server has for them, and nobody else's."""
    callers = [Principal(f"key-{number // 2}", user=f"user-{number}") for number in range(4)]
    scripted = Scripted("a", resources=[])
    scripted.hints = {"cacheScope": "private", **({"ttlMs": ttl} if ttl is not None else {})}
    scripted.per_caller = lambda ctx: [{**tool(f"of-{ctx.principal.user}"), "uri": f"a://{ctx.principal.user}"}]
    async with world(scripted, private_lists=limit) as w:
        for who, what in steps:
            principal = callers[who]
            if what == "change":
                w.hub.registry.servers["a"].lists.drop()
            elif what == "wait":
                w.gateway.clock.advance(10)
            elif what == "resources":
                listed = await w.ask("a", "resources/list", call(principal))
                assert [each["uri"] for each in listed["resources"]] == [f"a://{principal.user}"]
            elif what == "call":
                assert await w.text("a", f"of-{principal.user}", call(principal)) == f"a/of-{principal.user}"
            else:
                face, prefix = ("a", "") if what == "list" else (None, "a-")
                assert await w.names(face, call(principal)) == [f"{prefix}of-{principal.user}"]
