"""A URL that somebody leaves for later is looked at when it is left: what `call` would refuse is refused at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from routeiq.egress import Egress, EgressPolicy, EgressRefused

NAMES = {"inner.example": "10.0.0.7", "outer.example": "93.184.216.34", "meta.example": "169.254.169.254"}


async def _lookup(host: str, port: int) -> Sequence[str]:
    if host not in NAMES:
        raise OSError("no such name")
    return [NAMES[host]]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "http://inner.example/hook",
        "http://meta.example/hook",
        "http://nobody.example/hook",
        "http://outer.example:22/",
    ],
)
async def test_what_a_call_would_refuse_is_refused(url: str) -> None:
    # The operator's origins are no exception for a URL that somebody else wrote.
    policy = EgressPolicy.compile(["http://127.0.0.1:9000"], [])
    egress = Egress(policy, lookup=_lookup)
    with pytest.raises(EgressRefused):
        await egress.vet(policy.parse(url))


async def test_public_and_allowed_addresses_pass() -> None:
    policy = EgressPolicy.compile([], ["10.0.0.0/8"])
    egress = Egress(policy, lookup=_lookup)
    await egress.vet(policy.parse("https://outer.example/hook"))
    await egress.vet(policy.parse("https://inner.example/hook"))


async def test_a_tenants_list_binds_it_too() -> None:
    policy = EgressPolicy.compile([], [], {"red": ["other.example"]})
    egress = Egress(policy, lookup=_lookup)
    with pytest.raises(EgressRefused):
        await egress.vet(policy.parse("https://outer.example/hook"), policy.reach(["red"]))


async def test_addresses_for_a_library_are_those_that_a_call_would_connect_to() -> None:
    policy = EgressPolicy.compile(["http://inner.example:9000", "http://127.0.0.1:9000"], [], {"red": ["10.0.0.0/8"]})
    egress = Egress(policy, lookup=_lookup)
    assert await egress.addresses(policy.parse("https://outer.example/")) == ["93.184.216.34"]
    assert await egress.addresses(policy.parse("http://inner.example:9000/a")) == ["10.0.0.7"]
    assert list(await egress.addresses(policy.parse("http://127.0.0.1:9000/a"))) == ["127.0.0.1"]
    red = policy.reach(["red"])
    assert await egress.addresses(policy.parse("http://inner.example:9000/a"), reach=red) == ["10.0.0.7"]
    for url, how in [
        ("http://inner.example:9000/a", {"untrusted": True}),
        ("http://127.0.0.1:9000/a", {"untrusted": True}),
        ("http://inner.example:9001/a", {}),
        ("http://meta.example/a", {}),
        ("http://nobody.example/a", {}),
        ("https://outer.example/", {"reach": red}),
    ]:
        with pytest.raises(EgressRefused):
            await egress.addresses(policy.parse(url), **how)


async def test_an_operators_name_is_checked_each_time_and_never_leads_to_metadata() -> None:
    policy = EgressPolicy.compile(["http://meta.example"], [])
    with pytest.raises(EgressRefused):
        await Egress(policy, lookup=_lookup).addresses(policy.parse("http://meta.example/"))
