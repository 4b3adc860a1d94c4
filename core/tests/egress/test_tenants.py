"""A tenant's list narrows what its calls may reach, by host or by the addresses of a name, and opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from routeiq.egress import Egress, EgressPolicy, EgressRefused, OutOfReach, PoolLimits, Reach, httpx_client


def reach_of(*only: str, organization: Sequence[str] | None = None) -> Reach:
    tenants = {"red": only, **({"acme": organization} if organization is not None else {})}
    reach = EgressPolicy.compile([], [], tenants).reach(["red", "acme"])
    assert reach is not None
    return reach


def test_nobody_is_bound_who_is_in_no_list() -> None:
    assert EgressPolicy().reach(["red"]) is None
    policy = EgressPolicy.compile([], [], {"red": []})
    assert policy.reach(()) is None
    assert policy.reach(["blue", "acme"]) is None
    assert policy.reach(["acme", "red"]) is not None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("api.example.com", "https://api.example.com/v1"),
        ("api.example.com", "https://API.example.com:8443/v1"),
        ("api.example.com:8443", "https://api.example.com:8443/v1"),
        ("*.example.com", "https://eu.api.example.com/"),
        ("93.184.216.0/24", "https://93.184.216.34/"),
        ("93.184.216.34:443", "https://93.184.216.34/"),
        ("2606:2800::/32", "https://[2606:2800:220:1::1]/"),
    ],
)
def test_a_list_covers_what_it_names(entry: str, url: str) -> None:
    assert reach_of(entry).check(EgressPolicy().parse(url)) is False


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("api.example.com", "https://api.example.org/"),
        ("api.example.com", "https://evil-api.example.com/"),
        ("api.example.com", "https://api.example.com.evil.org/"),
        ("api.example.com:8443", "https://api.example.com/"),
        ("*.example.com", "https://example.com/"),
        ("93.184.216.0/24", "https://93.184.217.1/"),
        ("93.184.216.34:443", "http://93.184.216.34/"),
        ("93.184.216.0/24", "https://[::ffff:93.184.216.34]/"),
    ],
)
def test_a_list_covers_nothing_else(entry: str, url: str) -> None:
    with pytest.raises(OutOfReach, match=r"routeiq\.egress\.tenants.*'red'"):
        reach_of(entry).check(EgressPolicy().parse(url))


def test_an_empty_list_is_nothing_at_all() -> None:
    with pytest.raises(OutOfReach):
        reach_of().check(EgressPolicy().parse("https://api.example.com/"))


def test_team_and_organization_both_have_to_agree() -> None:
    url = EgressPolicy().parse("https://api.example.com/")
    assert reach_of("api.example.com", organization=["*.example.com"]).check(url) is False
    with pytest.raises(OutOfReach, match="'acme'"):
        reach_of("api.example.com", organization=["other.example.com"]).check(url)


async def enter(egress: Egress, how: str, text: str, reach: Reach) -> None:
    if how == "fetch":
        await egress.fetch(text, max_bytes=100, timeout=5, reach=reach)
    elif how == "httpx":
        async with httpx_client(egress, reach=reach) as client:
            await client.get(text)
    else:
        async with egress.request("GET", egress.policy.parse(text), reach=reach) as response:
            await response.read()


WAYS = pytest.mark.parametrize("how", ["request", "fetch", "httpx"])


@WAYS
@pytest.mark.parametrize(
    ("only", "told", "passes"),
    [
        (["127.0.0.0/8"], ["127.0.0.1"], True),
        (["10.0.0.0/8"], ["127.0.0.1"], False),
        (["10.0.0.0/8", "inside.example"], ["127.0.0.1"], True),
        (["127.0.0.0/8"], ["127.0.0.1", "10.0.0.1"], False),
        (["other.example"], ["127.0.0.1"], False),
        ([], ["127.0.0.1"], False),
    ],
)
async def test_a_name_is_within_networks_only_with_all_its_addresses(
    how: str, only: list[str], told: list[str], passes: bool, canary: Any, open_egress: Any, answers: Any
) -> None:
    policy = EgressPolicy.compile([], [f"inside.example:{canary.port}"], {"red": only})
    egress = await open_egress(policy, lookup=answers(otherwise=told))
    reach = policy.reach(["red"])
    assert reach is not None
    text = f"http://inside.example:{canary.port}/"
    if passes:
        await enter(egress, how, text, reach)
    else:
        with pytest.raises(OutOfReach):
            await enter(egress, how, text, reach)
    assert canary.hits == int(passes)


@WAYS
async def test_a_list_opens_nothing(how: str, canary: Any, open_egress: Any) -> None:
    policy = EgressPolicy.compile([], [], {"red": ["127.0.0.0/8", "169.254.0.0/16"]})
    egress = await open_egress(policy)
    reach = policy.reach(["red"])
    for text in (f"http://127.0.0.1:{canary.port}/", "http://169.254.169.254/"):
        with pytest.raises(EgressRefused, match=r"loopback|metadata"):
            await enter(egress, how, text, reach)
    assert canary.hits == 0


async def test_a_name_that_flips_after_the_look_gets_no_byte(canary: Any, serve: Any, open_egress: Any) -> None:
    """The look says 127.0.0.2, the connection goes to 127.0.0.1: the peer is looked at before anything is sent."""
    told = iter([["127.0.0.2"], ["127.0.0.1"]])
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = await serve(answer)

    async def flipping(host: str, port: int) -> Sequence[str]:
        return next(told)

    policy = EgressPolicy.compile([], ["flip.example"], {"red": ["127.0.0.2/32"]})
    egress = await open_egress(policy, lookup=flipping, limits=PoolLimits(dns_seconds=0))
    with pytest.raises(OutOfReach):
        await enter(egress, "request", f"http://flip.example:{port}/", policy.reach(["red"]))
    assert asked == []


async def test_an_open_connection_of_others_is_not_borrowed(serve: Any, open_egress: Any, answers: Any) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = await serve(answer)
    policy = EgressPolicy.compile([f"http://model.example:{port}"], [], {"red": ["10.0.0.0/8"]})
    egress = await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"]))
    url = policy.parse(f"http://model.example:{port}/ours")
    async with egress.request("GET", url) as response:
        await response.read()
    with pytest.raises(OutOfReach):
        await egress.request("GET", url.with_target("/theirs"), reach=policy.reach(["red"]))
    async with egress.request("GET", url.with_target("/again")) as response:  # and the check has not stayed behind
        await response.read()
    assert asked == ["/ours", "/again"]


async def test_each_hop_of_a_redirect_is_within_reach(canary: Any, serve: Any, open_egress: Any, answers: Any) -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://two.example:{canary.port}/"})

    port = await serve(redirect)
    policy = EgressPolicy.compile([], ["one.example", "two.example"], {"red": ["one.example"]})
    egress = await open_egress(policy, lookup=answers(otherwise=["127.0.0.1"]))
    with pytest.raises(OutOfReach):
        await egress.fetch(
            f"http://one.example:{port}/", max_bytes=9, timeout=5, redirects=3, reach=policy.reach(["red"])
        )
    assert canary.hits == 0
