"""V8: what was remembered of one credential is never taken for another, however alike they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from routeiq_testkit.gateway import TestGateway

from .conftest import Govern
from .issuers import AUDIENCE, Issuer
from .tenants import Client, client_of, two_tenants

SHARED = "sk-" + "Kd83hFz0" * 62 + "abcdX"  # 504 characters


async def who(client: Client) -> tuple[int, str | None, str | None]:
    """Status, user and team of the caller, as the gateway sees them."""
    answer = await client.ask("GET", "/routeiq/v1/me")
    told = answer.json
    return answer.status, told.get("user") or told.get("user_id"), told.get("team") or told.get("team_id")


async def test_keys_that_share_five_hundred_characters_stay_apart(govern: Govern) -> None:
    running = await govern()
    made = await two_tenants(running)
    tails = {"uma": ("1", "blue"), "rita": ("2", "red"), "tess": ("12", "blue")}
    clients = {}
    for user, (tail, team) in tails.items():
        body = {"user_id": user, "team_id": team, "key": SHARED + tail, "key_alias": f"long-{user}"}
        await made.master.good("POST", "/key/generate", body)
        clients[user] = Client(running, SHARED + tail)
    strangers = [
        SHARED,
        SHARED + "3",
        SHARED + "21",
        SHARED[:20],
        SHARED[:-1],
        SHARED + "1\u00a0",
        SHARED.swapcase() + "1",
    ]
    strangers += [SHARED + "1" + "x" * 9, SHARED + "1.", "Bearer " + SHARED, SHARED + "1" * 600]
    for _ in range(3):  # the second and third time from memory
        for user, client in clients.items():
            assert await who(client) == (200, user, tails[user][1])
        statuses = await asyncio.gather(
            *(Client(running, text.encode().decode("latin-1")).chat() for text in strangers)
        )
        assert [answer.status for answer in statuses] == [401] * len(strangers)
    await made.master.good("POST", "/key/delete", {"key_aliases": ["long-uma"]})
    assert (await clients["uma"].chat()).status == 401
    assert await who(clients["rita"]) == (200, "rita", "red")
    await made.master.good("POST", "/key/block", {"key": SHARED + "2"})
    assert (await clients["rita"].chat()).status == 401
    assert await who(clients["tess"]) == (200, "tess", "blue")


@pytest_asyncio.fixture
async def issuers() -> AsyncIterator[tuple[Issuer, Issuer]]:
    """Two, with one id for their different keys."""
    async with Issuer("the-key") as first, Issuer("the-key") as second:
        yield first, second


async def with_both(govern: Govern, issuers: tuple[Issuer, Issuer]) -> TestGateway:
    rows = [
        {"issuer": issuer.url, "audience": AUDIENCE, "name": name, "upsert": True, "role_map": {"boss": "proxy_admin"}}
        for issuer, name in zip(issuers, ("one", "two"), strict=True)
    ]
    return await govern(plugins={"oidc": {"issuers": rows}}, routeiq={"egress": {"allow": ["127.0.0.0/8"]}})


async def test_tokens_of_two_issuers_with_one_key_id_and_one_subject_stay_apart(
    govern: Govern, issuers: tuple[Issuer, Issuer]
) -> None:
    running = await with_both(govern, issuers)
    first, second = issuers
    same: dict[str, Any] = {"sub": "ann", "iat": 1_700_000_000}
    callers = []
    for _ in range(2):
        for issuer in (first, second):
            answer = await Client(running, issuer.token(**same)).ask("GET", "/routeiq/v1/me")
            assert answer.status == 200, answer
            callers.append(answer.text)
    assert callers[0] == callers[2] != callers[1] == callers[3]
    assert (await Client(running, first.token(roles=["boss"])).ask("GET", "/routeiq/v1/status")).status == 200
    for token in (
        first.token(signed_by=second, **same),
        second.token(signed_by=first, **same),
        first.token(iss=second.url, **same),
        first.token(iss=second.url, roles=["boss"]),
    ):
        assert (await Client(running, token).chat()).status == 401
    ordinary = Client(running, second.token(sub="ann"))
    assert (await ordinary.ask("GET", "/routeiq/v1/status")).status == 403, "the boss is the other issuer's"


async def test_a_token_that_was_seen_covers_no_other_one(govern: Govern, issuers: tuple[Issuer, Issuer]) -> None:
    running = await with_both(govern, issuers)
    long = {"padding": "p" * 500}
    good = issuers[0].token(**long)
    assert (await Client(running, good).chat()).status == 200
    head, _, signature = good.rpartition(".")
    other = issuers[0].token(**long, sub="eve")
    for text in (
        f"{head}.",
        f"{head}.{'A' * len(signature)}",
        f"{head}.{other.rpartition('.')[2]}",
        f"{other.rpartition('.')[0]}.{signature}",
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good + "x",
        issuers[0].token(signed_by=issuers[1], **long),
    ):
        assert (await Client(running, text).chat()).status == 401, text[-80:]
    assert (await Client(running, good).chat()).status == 200


async def test_what_was_remembered_of_a_refused_key_does_not_outlive_its_making(govern: Govern) -> None:
    """Also the memory of unknown keys is by the whole key, and a key that is made afterwards works."""
    running = await govern()
    master = client_of(running)
    texts = [SHARED + str(number) for number in range(8)]
    assert {(await Client(running, text).chat()).status for text in texts} == {401}
    await master.good("POST", "/key/generate", {"key": texts[3]})
    assert [(await Client(running, text).chat()).status == 200 for text in texts] == [
        number == 3 for number in range(8)
    ]
