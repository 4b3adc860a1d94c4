"""A5: the issuer's keys are fetched seldom, by one call at a time, and no honest token is refused while they change."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_oidc.tokens.jwk import read_keys
from routeiq_oidc.tokens.keyset import SETTLED_SECONDS, STALE_SECONDS, WINDOW_SECONDS
from routeiq_sdk import Principal, Reject

from .conftest import Open
from .issuer import Issuer, make_key
from .world import world

ES = "ES256"


async def test_a_change_of_keys_under_load_refuses_nobody_and_takes_two_fetches(
    open_gateway: Open, issuer: Issuer
) -> None:
    running = await open_gateway(issuers=[issuer.configured()], directory=False)
    statuses: list[int] = []
    turned = asyncio.Event()

    async def call() -> None:
        headers = {"authorization": f"Bearer {issuer.token(jti=str(len(statuses)))}"}
        async with running.session.get("/v1/models", headers=headers) as response:
            statuses.append(response.status)

    async def client() -> None:
        while not turned.is_set():
            await call()
            if len(statuses) >= 100 and not turned.is_set():
                issuer.rotate("key-2")  # from here on everybody signs with a key that the gateway has not seen
                turned.set()
        while len(statuses) < 400:
            await call()

    await asyncio.gather(*(client() for _ in range(16)))
    assert set(statuses) == {200}
    assert issuer.calls["keys"] == 2
    assert issuer.calls["discovery"] == 1


async def test_a_thousand_invented_key_ids_cost_two_fetches(open_gateway: Open, issuer: Issuer) -> None:
    running = await open_gateway(issuers=[issuer.configured()], directory=False)
    statuses: set[int] = set()

    async def flood(first: int) -> None:
        for number in range(first, 1000, 16):
            token = issuer.token(header={"kid": f"invented-{number}"})
            async with running.session.get("/v1/models", headers={"authorization": f"Bearer {token}"}) as response:
                statuses.add(response.status)

    await asyncio.gather(*(flood(first) for first in range(16)))
    assert 200 not in statuses
    assert statuses <= {401, 503}
    assert issuer.calls["keys"] <= 2
    async with running.session.get("/v1/models", headers={"authorization": f"Bearer {issuer.token()}"}) as response:
        assert response.status == 200


async def test_tokens_that_come_together_wait_for_one_fetch() -> None:
    async with world() as here:
        here.egress.gate.clear()
        asking = [asyncio.create_task(here.ask(here.token(jti=str(number)))) for number in range(50)]
        await asyncio.sleep(0)
        here.egress.gate.set()
        assert all(isinstance(answer, Principal) for answer in await asyncio.gather(*asking))
        assert here.egress.counts == {"/.well-known/openid-configuration": 1, "/keys": 1}


async def test_whoever_gives_up_waiting_does_not_end_the_fetch_for_the_others() -> None:
    async with world() as here:
        here.egress.gate.clear()
        impatient = asyncio.create_task(here.ask(here.token(jti="1")))
        patient = asyncio.create_task(here.ask(here.token(jti="2")))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait((impatient,))
        here.egress.gate.set()
        assert isinstance(await patient, Principal)


async def test_an_issuer_out_of_reach_is_an_outage_and_no_refusal() -> None:
    async with world() as here:
        here.egress.down = True
        refused = await here.refusal(here.token())
        assert (refused.status, refused.type) == (503, "auth_provider_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        here.egress.down = False
        here.gateway.clock.advance(float(refused.headers["retry-after"]))
        assert isinstance(await here.ask(here.token()), Principal)


async def test_an_outage_is_over_http_503_with_retry_after(open_gateway: Open, issuer: Issuer) -> None:
    issuer.down = True
    running = await open_gateway(issuers=[issuer.configured()], directory=False)
    async with running.session.get("/v1/models", headers={"authorization": f"Bearer {issuer.token()}"}) as response:
        assert response.status == 503
        assert (await response.json())["error"]["type"] == "auth_provider_unavailable"
        assert int(response.headers["retry-after"]) >= 1
    async with running.session.get("/v1/models") as response:
        assert response.status == 200, "the master key does not depend on the issuer"


async def test_known_keys_serve_for_a_day_while_the_issuer_is_away() -> None:
    async with world() as here:
        await here.warmed()
        here.egress.down = True
        here.gateway.clock.advance(STALE_SECONDS - 60)
        assert isinstance(await here.ask(here.token()), Principal)
        here.gateway.clock.advance(120)
        assert (await here.refusal(here.token())).status == 503
        assert (await here.refusal(here.token(jti="another"))).status == 503


async def test_old_keys_serve_while_new_ones_are_fetched() -> None:
    async with world(refresh_seconds=300) as here:
        await here.warmed()
        here.gateway.clock.advance(301)
        here.egress.gate.clear()
        assert isinstance(await here.ask(here.token()), Principal)  # with the fetch still held back
        await asyncio.sleep(0)
        assert here.egress.counts["/keys"] == 2
        here.egress.gate.set()


async def test_a_key_that_the_issuer_withdrew_ends_its_tokens_also_remembered_ones() -> None:
    async with world(refresh_seconds=300) as here:
        await here.warmed()
        token = here.token(exp=here.gateway.clock.now_ns() // 10**9 + 7200)
        assert isinstance(await here.ask(token), Principal)
        here.egress.keys = [make_key("key-2", ES, 2)]
        here.gateway.clock.advance(301)
        assert isinstance(await here.ask(token), Principal)  # starts the fetch
        await here.warmed()
        assert (await here.refusal(token)).status == 401


async def test_an_unknown_key_is_an_outage_once_nobody_may_ask_the_issuer() -> None:
    async with world() as here:
        await here.warmed()
        here.gateway.clock.advance(1)
        invented = {"kid": "invented"}
        assert (await here.refusal(here.token(header=invented))).status == 401  # the second fetch of this minute
        assert (await here.refusal(here.token(header=invented, jti="2"))).status == 401
        here.gateway.clock.advance(SETTLED_SECONDS + 1)
        fresh = make_key("key-2", ES, 2)
        here.egress.keys.append(fresh)
        assert (await here.refusal(here.token(fresh))).status == 503, "an honest token of a new key is not refused"
        here.gateway.clock.advance(WINDOW_SECONDS)
        assert isinstance(await here.ask(here.token(fresh)), Principal)
        assert here.egress.counts["/keys"] == 3


async def test_keys_without_ids_are_tried_and_asked_for_again_when_none_fits() -> None:
    async with world() as here:
        await here.warmed()
        nameless = {"kid": None}
        token = here.token(header=nameless)
        assert isinstance(await here.ask(token), Principal)
        fresh = make_key("key-2", ES, 2)
        here.egress.keys.append(fresh)
        here.gateway.clock.advance(1)
        assert isinstance(await here.ask(here.token(fresh, header=nameless)), Principal)


@pytest.mark.parametrize(
    "lie", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://issuer.example/keys"}, {"jwks_uri": None}]
)
async def test_a_discovery_document_that_lies_gives_no_keys(lie: dict[str, str | None]) -> None:
    async with world() as here:
        here.egress.lie = lie
        assert (await here.refusal(here.token())).status == 503
        assert here.egress.counts["/keys"] == 0


@pytest.mark.parametrize(
    "row",
    [
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "a"},
        {**make_key("a").public(), "use": "enc"},
        {**make_key("a").public(), "key_ops": ["encrypt"]},
        {**make_key("a").public(), "alg": "HS256"},
        {**make_key("a").public(), "alg": "RS512"},
        {**make_key("a").public(), "kid": 7},
        {**make_key("a").public(), "n": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "kid": "a"},
        {"kty": "OKP", "crv": "X25519", "x": make_key("a", "EdDSA").public()["x"], "kid": "a"},
        {"kid": "a"},
        "not an object",
    ],
)
def test_a_key_that_must_not_verify_is_left_out(row: object) -> None:
    good = make_key("good", ES).public()
    assert [key.kid for key in read_keys({"keys": [row, good]}, ["RS256", "ES256", "EdDSA"])] == ["good"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "EdDSA"])
async def test_each_algorithm_that_is_allowed_verifies(algorithm: str) -> None:
    async with world(algorithms=[algorithm]) as here:
        here.egress.keys = [make_key("key-1", algorithm)]
        assert isinstance(await here.ask(here.token()), Principal)
        other = make_key("key-1", "ES256" if algorithm != "ES256" else "EdDSA")
        assert isinstance(await here.ask(here.token(other)), Reject)
