"""A6: no forged, borrowed, stale or ambiguous token authenticates. Each attack is refused with 401, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .conftest import Open
from .issuer import Issuer, assembled, encoded, make_key

Attack = Callable[[Issuer], str]
STRANGER = make_key("stranger", number=99)


def unsigned(issuer: Issuer, alg: str) -> str:
    return f"{encoded({'alg': alg, 'kid': issuer.current.kid, 'typ': 'JWT'})}.{encoded(issuer.claims())}."


def by_public_key(issuer: Issuer, secret: bytes) -> str:
    """HS256 with the issuer's public key as the shared secret: algorithm confusion."""
    signed = f"{encoded({'alg': 'HS256', 'kid': issuer.current.kid})}.{encoded(issuer.claims())}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def pem(issuer: Issuer) -> bytes:
    return issuer.current.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def self_signed(**header: Any) -> Attack:
    """Signed by a stranger whose key the header brings along."""
    return lambda issuer: issuer.token(key=STRANGER, header={"kid": issuer.current.kid, **header})


def spelled_twice(issuer: Issuer) -> str:
    claims = json.dumps(issuer.claims())[:-1] + ', "sub": "root"}'
    return assembled({"alg": "RS256", "kid": issuer.current.kid}, claims, issuer.current)


def header_twice(issuer: Issuer) -> str:
    header = f'{{"alg": "none", "kid": "{issuer.current.kid}", "alg": "RS256"}}'
    return assembled(header, issuer.claims(), issuer.current)


def last_bits(issuer: Issuer) -> str:
    """Another spelling of the same signature: the unused bits of its last character."""
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
    for last in alphabet:
        other = token[:-1] + last
        if other != token and base64.urlsafe_b64decode(other.rpartition(".")[2] + "==") == raw:
            return other
    raise AssertionError("no other spelling")


def other_claims(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encoded(issuer.claims(sub='root'))}.{signature}"


ATTACKS: dict[str, Attack] = {
    "alg none": lambda issuer: unsigned(issuer, "none"),
    "alg None in capitals": lambda issuer: unsigned(issuer, "NONE"),
    "RS256 without a signature": lambda issuer: unsigned(issuer, "RS256"),
    "HS256 with the public key's PEM": lambda issuer: by_public_key(issuer, pem(issuer)),
    "HS256 with the public key's modulus": lambda issuer: by_public_key(issuer, issuer.current.public()["n"].encode()),
    "HS256 with nothing": lambda issuer: by_public_key(issuer, b""),
    "an algorithm that is not allowed": lambda issuer: issuer.token(header={"alg": "PS256"}),
    "a jku of a stranger": self_signed(jku="http://127.0.0.1:1/keys"),
    "an x5u of a stranger": self_signed(x5u="http://127.0.0.1:1/cert"),
    "a jwk of a stranger": self_signed(jwk=STRANGER.public()),
    "an x5c of a stranger": self_signed(x5c=["MIIB"]),
    "a stranger's key under a known kid": self_signed(),
    "a stranger's kid": lambda issuer: issuer.token(key=STRANGER),
    "a kid that is a path": lambda issuer: issuer.token(key=STRANGER, header={"kid": "../../../dev/null"}),
    "a kid that is no text": lambda issuer: issuer.token(header={"kid": 7}),
    "crit": lambda issuer: issuer.token(header={"crit": ["exp"]}),
    "an unknown crit": lambda issuer: issuer.token(header={"crit": ["b64"], "b64": False}),
    "a claim twice": spelled_twice,
    "alg twice": header_twice,
    "a second spelling of the signature": last_bits,
    "claims of another token": other_claims,
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 31),
    "no end": lambda issuer: issuer.token(exp=None),
    "an endless end": lambda issuer: assembled(
        {"alg": "RS256", "kid": issuer.current.kid},
        json.dumps(issuer.claims(exp="X")).replace('"X"', "1e999"),
        issuer.current,
    ),
    "an end that is true": lambda issuer: issuer.token(exp=True),
    "an end that is a text": lambda issuer: issuer.token(exp=str(int(time.time()) + 300)),
    "not valid yet": lambda issuer: issuer.token(nbf=int(time.time()) + 90),
    "issued in the future": lambda issuer: issuer.token(iat=int(time.time()) + 90),
    "another audience": lambda issuer: issuer.token(aud="another-service"),
    "an audience that begins alike": lambda issuer: issuer.token(aud="routeiq-gateway-2"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "an audience that is an object": lambda issuer: issuer.token(aud={"routeiq-gateway": 1}),
    "another issuer": lambda issuer: issuer.token(iss="https://elsewhere.example"),
    "an issuer that begins alike": lambda issuer: issuer.token(iss=issuer.url + "/"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "issuers in a list": lambda issuer: issuer.token(iss=[issuer.url]),
    "no subject": lambda issuer: issuer.token(sub=None),
    "an empty subject": lambda issuer: issuer.token(sub=""),
    "a logout token": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "a proof of possession": lambda issuer: issuer.token(header={"typ": "dpop+jwt"}),
    "a typ that is no text": lambda issuer: issuer.token(header={"typ": ["JWT"]}),
    "claims that are a list": lambda issuer: assembled({"alg": "RS256", "kid": "key-1"}, "[]", issuer.current),
    "claims as deep as a well": lambda issuer: assembled(
        {"alg": "RS256", "kid": "key-1"}, '{"a":' + "[" * 5000 + "]" * 5000 + "}", issuer.current
    ),
    "too long": lambda issuer: issuer.token(padding="x" * 16_384),
}


async def test_every_attack_is_refused_and_costs_the_issuer_no_more_than_two_fetches(
    open_gateway: Open, issuer: Issuer
) -> None:
    running = await open_gateway(issuers=[issuer.configured(algorithms=["RS256"])], directory=False)
    wrong: dict[str, Any] = {}
    for name, attack in ATTACKS.items():
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/routeiq/v1/status")):
            token = attack(issuer)
            headers = {"authorization": f"Bearer {token}"}
            async with running.session.request(method, path, headers=headers) as response:
                body = await response.json()
                refused = (response.status, body.get("error", {}).get("type")) == (401, "auth_error")
                if not refused or token in json.dumps(body):
                    wrong[f"{name} at {path}"] = (response.status, body)
    assert wrong == {}
    assert issuer.calls["keys"] <= 2


async def test_the_token_that_the_attacks_vary_is_accepted(open_gateway: Open, issuer: Issuer) -> None:
    running = await open_gateway(issuers=[issuer.configured(algorithms=["RS256"])], directory=False)
    for token in (
        issuer.token(),
        issuer.token(header={"kid": None, "typ": "at+jwt"}),
        issuer.token(aud=["a", "routeiq-gateway"]),
    ):
        async with running.session.get("/v1/models", headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == 200, await response.text()


async def test_two_tokens_with_the_same_beginning_stay_apart(open_gateway: Open, issuer: Issuer) -> None:
    running = await open_gateway(issuers=[issuer.configured()], directory=False)
    good = issuer.token(padding="x" * 600)
    bad = good[:-8] + "AAAAAAAA"
    assert good[:500] == bad[:500]
    for token, status in ((good, 200), (bad, 401), (good, 200), (bad, 401)):
        async with running.session.get("/v1/models", headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == status


async def test_an_api_key_that_is_no_token_is_left_to_others(open_gateway: Open, issuer: Issuer) -> None:
    running = await open_gateway(issuers=[issuer.configured()], directory=False)
    for key, status in ((running.key, 200), ("sk-a.b.c", 401), ("a.b.c", 401), ("..", 401)):
        async with running.session.get("/v1/models", headers={"authorization": f"Bearer {key}"}) as response:
            assert response.status == status
    assert issuer.calls["keys"] <= 1
