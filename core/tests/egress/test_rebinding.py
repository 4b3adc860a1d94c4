"""S2: a name server that changes its answers between two looks leads nobody to an inner address."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from routeiq.egress import Egress, EgressPolicy, EgressRefused, PoolLimits

from .rebinding import NameServer, Zone
from .test_hostile import by_fetch, by_httpx, by_untrusted_httpx

PUBLIC = "127.0.0.2"
"""Stands for the public answer: a permitted server listens there, on the canary's port."""
FLIPS = 100
WAYS = pytest.mark.parametrize("enter", [by_fetch, by_httpx, by_untrusted_httpx])

StartNames = Callable[[Zone], Awaitable[NameServer]]


@pytest.fixture
async def names() -> AsyncIterator[StartNames]:
    started: list[NameServer] = []

    async def start(zone: Zone) -> NameServer:
        server = NameServer(zone)
        await server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def front(canary: Any, serve: Any) -> list[str]:
    """What the permitted server was asked. It keeps no connection, so that each call has to resolve anew."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        response = web.Response(text="front")
        response.force_close()
        return response

    await serve(answer, host=PUBLIC, port=canary.port)
    return seen


OpenAt = Callable[[NameServer], Awaitable[Egress]]


@pytest.fixture
def at(open_egress: Any) -> OpenAt:
    async def start(server: NameServer) -> Egress:
        policy = EgressPolicy.compile([], [f"{PUBLIC}/32"])
        egress: Egress = await open_egress(policy, lookup=server.lookup, limits=PoolLimits(dns_seconds=0))
        return egress

    return start


@WAYS
async def test_every_other_answer_is_private(
    enter: Any, names: StartNames, at: OpenAt, canary: Any, front: list[str]
) -> None:
    told: list[str] = []

    def zone(name: str, kind: str) -> Sequence[tuple[str, str, str]]:
        if kind != "A":
            return []
        told.append((PUBLIC, "127.0.0.1")[len(told) % 2])
        return [(name, "A", told[-1])]

    egress = await at(await names(zone))
    for _ in range(10):
        try:
            await enter(egress, f"http://flip.example:{canary.port}/")
        except EgressRefused:
            pass
    assert (canary.hits, len(front), len(told)) == (0, 5, 10)


@WAYS
async def test_a_hundred_random_flips_of_both_families_and_chains_of_names(
    enter: Any, names: StartNames, at: OpenAt, canary: Any, front: list[str]
) -> None:
    """Each look gets another mix: one or more A and AAAA records, behind none to three CNAMEs, in any order."""
    rng = random.Random(11)
    good: dict[str, int] = {"asked": 0, "public": 0}
    mixes = [
        ([PUBLIC], []),
        (["127.0.0.1"], []),
        ([PUBLIC, "127.0.0.1"], []),
        (["127.0.0.1", PUBLIC], []),
        ([PUBLIC], ["::1"]),
        ([], ["::1"]),
        ([PUBLIC], ["::ffff:127.0.0.1"]),
        ([PUBLIC], ["64:ff9b::7f00:1"]),
        ([PUBLIC], ["fd00:ec2::254"]),
        ([PUBLIC, "169.254.169.254"], []),
        (["0.0.0.0"], ["::"]),
        ([], []),
    ]
    now: list[Any] = [mixes[0]]

    def zone(name: str, kind: str) -> Sequence[tuple[str, str, str]]:
        if kind == "A":
            now[0] = rng.choice(mixes)
            good["asked"] += 1
            good["public"] += now[0] == mixes[0]
        chain = [name, *(f"c{number}.{rng.randrange(999)}.example" for number in range(rng.randrange(4)))]
        addresses = now[0][0 if kind == "A" else 1]
        links = [(owner, "CNAME", f"{target}.") for owner, target in pairwise(chain)]
        return links + [(chain[-1], kind, address) for address in addresses]

    egress = await at(await names(zone))
    for number in range(FLIPS):
        try:
            await enter(egress, f"http://r{number % 7}.rebind.example:{canary.port}/{number}")
        except (EgressRefused, aiohttp.ClientConnectorDNSError, httpx.ConnectError):
            pass  # an inner answer, or none
    assert canary.hits == 0
    assert good["asked"] == FLIPS
    assert len(front) == good["public"] > 3


@WAYS
async def test_a_chain_that_ends_at_this_machine_is_refused(
    enter: Any, names: StartNames, at: OpenAt, canary: Any, front: list[str]
) -> None:
    def zone(name: str, kind: str) -> Sequence[tuple[str, str, str]]:
        chain = [(name, "CNAME", "a.example."), ("a.example", "CNAME", "localhost.")]
        return [*chain, ("localhost", kind, "127.0.0.1" if kind == "A" else "::1")]

    egress = await at(await names(zone))
    with pytest.raises(EgressRefused, match="loopback"):
        await enter(egress, f"http://public.example:{canary.port}/")
    assert (canary.hits, front) == (0, [])


@WAYS
async def test_a_name_is_resolved_once_a_connection(
    enter: Any, names: StartNames, at: OpenAt, canary: Any, front: list[str]
) -> None:
    """Between the look and the connection nobody asks again, so a second answer has nothing to change."""
    server = await names(lambda name, kind: [(name, "A", PUBLIC)] if kind == "A" else [])
    egress = await at(server)
    await enter(egress, f"http://once.example:{canary.port}/")
    assert server.asked == [("once.example", "A"), ("once.example", "AAAA")]
    assert (canary.hits, front) == (0, ["/"])


async def test_a_redirect_to_a_name_that_flipped_is_refused(
    names: StartNames, canary: Any, serve: Any, open_egress: Any
) -> None:
    """The first hop is at the public answer of a name, the second at the same name, whose answer is private by then."""
    told = iter([PUBLIC, "127.0.0.1"])

    async def redirect(request: web.Request) -> web.Response:
        response = web.Response(status=307, headers={"Location": f"http://same.example:{canary.port}/second"})
        response.force_close()
        return response

    await serve(redirect, host=PUBLIC, port=canary.port)
    server = await names(lambda name, kind: [(name, "A", next(told))] if kind == "A" else [])
    policy = EgressPolicy.compile([], [f"{PUBLIC}/32"])
    egress = await open_egress(policy, lookup=server.lookup, limits=PoolLimits(dns_seconds=0))
    with pytest.raises(EgressRefused, match="loopback"):
        await egress.fetch(f"http://same.example:{canary.port}/", max_bytes=100, timeout=5, redirects=3)
    assert canary.hits == 0
