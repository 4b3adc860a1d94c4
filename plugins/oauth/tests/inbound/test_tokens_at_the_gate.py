"""Tokens of an authorization server elsewhere open protected resources, and only tokens that are meant for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from routeiq_testkit.gateway import TestGateway

from .conftest import Open
from .issuer import Issuer, assembled, assembled_by_hmac, encoded, make_key, private_key

PATH = "/github/mcp"


async def call(gateway: TestGateway, token: str, path: str = PATH) -> tuple[int, Any, Any]:
    """Call a resource with a token."""
    async with gateway.session.post(path, headers={"authorization": f"Bearer {token}"}) as response:
        return response.status, await response.json(), response.headers


async def test_a_token_for_the_resource_is_its_person(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url, "claims": {"team": "groups", "organization": "org"}}])

    status, told, _ = await call(gateway, issuer.token(gateway.url + PATH, groups=["red", "blue"], org="acme"))

    assert status == 200
    assert (told["id"], told["kind"], told["user"], told["team"], told["organization"]) == (
        "oauth:ann",
        "user",
        "ann",
        "red",
        "acme",
    )
    attributes = told["attributes"]
    assert attributes["scopes"] == ["read", "write"]
    assert (attributes["client_id"], attributes["issuer"], attributes["auth"]) == ("editor", issuer.url, "oauth")


async def test_equal_subjects_of_two_issuers_are_two_callers_and_two_users(open_gateway: Open, issuer: Issuer) -> None:
    async with Issuer() as other:
        rows = [{"issuer": issuer.url, "name": "corp"}, {"issuer": other.url, "name": "guests"}]
        gateway = await open_gateway(issuers=rows)
        told = [(await call(gateway, each.token(gateway.url + PATH)))[1] for each in (issuer, other)]
    assert [(who["id"], who["user"]) for who in told] == [
        ("oauth:corp/ann", "corp/ann"),
        ("oauth:guests/ann", "guests/ann"),
    ]


async def test_a_clients_own_token_is_a_service_without_a_user(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url, "name": "corp"}])

    status, told, _ = await call(gateway, issuer.token(gateway.url + PATH, sub="editor"))

    assert (status, told["id"], told["kind"], told["user"]) == (200, "oauth:corp/editor", "service", None)


async def test_clients_own_tokens_can_be_kept_out(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url, "services": False}])

    assert (await call(gateway, issuer.token(gateway.url + PATH, sub="editor")))[0] == 401
    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 200


def hostile(issuer: Issuer, url: str) -> dict[str, str]:
    """Tokens that must not count, by what is wrong with them."""
    now = int(time.time())
    stranger = make_key("key-1", number=7)
    public = json.dumps(issuer.current.public()).encode()
    pem = issuer.current.private.as_pem(private=False)  # type: ignore[union-attr]
    none = {"alg": "none", "typ": "at+jwt"}
    claims = issuer.claims(url)
    good = issuer.token(url)
    head, body, signature = good.split(".")
    return {
        "no signature": f"{encoded(none)}.{encoded(claims)}.",
        "alg none, with a signature": f"{encoded(none)}.{body}.{signature}",
        "alg None in other letters": f"{encoded({**none, 'alg': 'nOnE'})}.{body}.",
        "HMAC by the public key as PEM": assembled_by_hmac({"alg": "HS256", "kid": "key-1"}, claims, pem),
        "HMAC by the public key as JWK": assembled_by_hmac({"alg": "HS256", "kid": "key-1"}, claims, public),
        "no audience": issuer.token(url, aud=None),
        "an empty list of audiences": issuer.token(url, aud=[]),
        "another resource of this gateway": issuer.token(url.replace("github", "files")),
        "a part of the resource": issuer.token(url[:-1]),
        "the resource with a slash": issuer.token(url + "/"),
        "the gateway as a whole": issuer.token(url.removesuffix(PATH)),
        "another scheme": issuer.token(url.replace("http:", "https:")),
        "another issuer": issuer.token(url, iss="https://elsewhere.example"),
        "no issuer": issuer.token(url, iss=None),
        "the issuer with a slash": issuer.token(url, iss=issuer.url + "/"),
        "a list of issuers": issuer.token(url, iss=[issuer.url]),
        "expired": issuer.token(url, exp=now - 31),
        "no end": issuer.token(url, exp=None),
        "an end that is no number": issuer.token(url, exp="tomorrow"),
        "an end that is true": issuer.token(url, exp=True),
        "not yet": issuer.token(url, nbf=now + 300),
        "issued tomorrow": issuer.token(url, iat=now + 86_400),
        "no subject": issuer.token(url, sub=None),
        "a subject that is a number": issuer.token(url, sub=7),
        "an id token's type": issuer.token(url, header={"typ": "id+jwt"}),
        "a logout token's type": issuer.token(url, header={"typ": "logout+jwt"}),
        "a stranger's key under a known name": issuer.token(url, key=stranger),
        "a stranger's key in the header": issuer.token(
            url, key=stranger, header={"kid": None, "jwk": stranger.public()}
        ),
        "keys elsewhere (jku)": issuer.token(
            url, key=make_key("evil", number=7), header={"jku": "https://evil.example/keys"}
        ),
        "certificates elsewhere (x5u)": issuer.token(
            url, key=stranger, header={"kid": None, "x5u": "https://evil.example/chain"}
        ),
        "an extension that nobody knows": issuer.token(url, header={"crit": ["x"], "x": 1}),
        "an unencoded payload": issuer.token(url, header={"b64": False}),
        "a name of a file as key id": issuer.token(url, key=stranger, header={"kid": "../../dev/null"}),
        "a key id that is a list": issuer.token(url, header={"kid": ["key-1"]}),
        "another algorithm of the same key": f"{encoded({'alg': 'ES384', 'kid': 'key-1'})}.{body}.{signature}",
        "an algorithm that is not allowed": issuer.token(url, key=make_key("rsa-1", "RS512")),
        "a claim twice": assembled(
            {"alg": "ES256", "kid": "key-1"},
            json.dumps(claims)[:-1] + ', "aud": "x", "aud": ' + json.dumps(url) + "}",
            issuer.current,
        ),
        "a changed claim": f"{head}.{encoded({**claims, 'sub': 'root'})}.{signature}",
        "a cut signature": f"{head}.{body}.{signature[:-4]}",
        "a signature in DER": f"{head}.{body}.{encoded(b'0E' + bytes(69))}",
        "padding": good + "==",
        "spaces around": f"{head}. {body}.{signature}",
        "very long": issuer.token(url, filler="x" * 20_000),
    }


async def test_tokens_that_are_not_for_the_resource_are_refused(open_gateway: Open, issuer: Issuer) -> None:
    issuer.published.append(make_key("rsa-1", "RS512"))
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    url = gateway.url + PATH
    assert (await call(gateway, issuer.token(url)))[0] == 200

    seen = {}
    for what, token in hostile(issuer, url).items():
        status, _, headers = await call(gateway, token)
        seen[what] = (status, 'error="invalid_token"' in headers.get("www-authenticate", ""))

    assert {what: outcome for what, outcome in seen.items() if outcome != (401, True)} == {}


async def test_keys_that_a_token_names_are_never_fetched(open_gateway: Open, issuer: Issuer) -> None:
    async with Issuer("/evil") as evil:
        evil.current = make_key("key-1", number=7)
        evil.published = [evil.current]
        gateway = await open_gateway(issuers=[{"issuer": issuer.url}], egress={"allow": ["127.0.0.0/8"]})
        for name in ("jku", "x5u"):
            token = issuer.token(gateway.url + PATH, key=evil.current, header={name: f"{evil.url}/keys"})
            assert (await call(gateway, token))[0] == 401

        assert not evil.calls


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
async def test_common_algorithms_verify(open_gateway: Open, issuer: Issuer, algorithm: str) -> None:
    issuer.current = make_key("other", algorithm)
    issuer.published = [issuer.current]
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 200


async def test_an_audience_of_the_operators_counts_instead(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url, "audience": "api://gateway"}])

    assert (await call(gateway, issuer.token("api://gateway")))[0] == 200
    assert (await call(gateway, issuer.token("api://other")))[0] == 401


async def test_a_token_counts_at_either_address_of_a_resource(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    assert (await call(gateway, issuer.token(gateway.url + "/mcp/files"), "/mcp/files"))[0] == 200
    assert (await call(gateway, issuer.token(gateway.url + "/files/mcp"), "/mcp/files"))[0] == 200
    assert (await call(gateway, issuer.token(gateway.url + "/mcp/files"), "/files/mcp"))[0] == 401


async def test_a_token_opens_nothing_but_resources(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url, "audience": "api://gateway"}])
    token = issuer.token("api://gateway")

    assert (await call(gateway, token, "/plain"))[0] == 401
    assert (await call(gateway, token, "/v1/chat/completions"))[0] == 401


async def test_gateway_keys_go_on_counting(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    status, told, _ = await call(gateway, "sk-ann")
    assert (status, told["id"]) == (200, "key-ann")
    assert (await call(gateway, gateway.key))[1]["id"] == "master"


async def test_a_token_in_the_query_opens_nothing(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    token = issuer.token(gateway.url + PATH)

    for name in ("access_token", "token", "api_key"):
        async with gateway.session.post(PATH, params={name: token}, headers={"authorization": ""}) as response:
            assert response.status == 401


async def test_a_new_key_of_the_issuer_is_found(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 200

    issuer.current = make_key("key-2", number=2)
    issuer.published.append(issuer.current)

    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 200


async def test_invented_key_ids_do_not_make_the_gateway_ask_again_and_again(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 200
    stranger = private_key("ES256", 9)

    for number in range(30):
        key = make_key(f"invented-{number}", number=9)
        assert key.private is stranger
        assert (await call(gateway, issuer.token(gateway.url + PATH, key=key)))[0] in (401, 503)

    assert issuer.calls["keys"] <= 3


async def test_an_issuer_that_is_away_is_not_the_tokens_fault(open_gateway: Open, issuer: Issuer) -> None:
    issuer.down = True
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    status, _, headers = await call(gateway, issuer.token(gateway.url + PATH))

    assert status == 503
    assert int(headers["retry-after"]) >= 1


async def test_metadata_of_another_issuer_gives_no_keys(open_gateway: Open, issuer: Issuer) -> None:
    issuer.lie = {"issuer": "https://elsewhere.example"}
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    assert (await call(gateway, issuer.token(gateway.url + PATH)))[0] == 503
    assert not issuer.calls["keys"]


async def test_a_token_shares_its_memory_with_no_other(
    open_gateway: Open, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tokens that begin alike are two tokens, and a remembered one is still bound to its resource."""
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    good = issuer.token(gateway.url + PATH)
    assert (await call(gateway, good))[0] == 200

    last = good[-6:]
    swapped: Callable[[str], str] = lambda text: text[:-6] + ("AAAAAA" if last != "AAAAAA" else "BBBBBB")  # noqa: E731
    assert (await call(gateway, swapped(good)))[0] == 401
    assert (await call(gateway, good, "/files/mcp"))[0] == 401
    assert (await call(gateway, good))[0] == 200
