"""Where a credential is looked for, and that the master key is compared whole."""

from __future__ import annotations

import pytest

from routeiq.request.auth import MasterKey, conceal, credential
from routeiq_sdk import Secret
from routeiq_sdk.values.http import Headers


def headers(**values: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()])


SIGNED = "AWS4-HMAC-SHA256 Credential=Bearer sk-signed/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"authorization": "Bearer sk-1"}, "sk-1"),
        ({"authorization": "bearer sk-1"}, "sk-1"),
        ({"authorization": "BEARER  sk-1 "}, "sk-1"),
        ({"authorization": "Basic c2stMQ=="}, "c2stMQ=="),
        ({"authorization": "sk-1"}, "sk-1"),
        ({"authorization": SIGNED}, "sk-signed"),
        ({"api_key": "sk-azure"}, "sk-azure"),
        ({"x_api_key": "sk-anthropic"}, "sk-anthropic"),
        ({"x_goog_api_key": "sk-google"}, "sk-google"),
        ({"ocp_apim_subscription_key": "sk-apim"}, "sk-apim"),
        ({"x_litellm_api_key": "Bearer sk-own"}, "sk-own"),
        ({"x_litellm_api_key": "sk-own"}, "sk-own"),
        ({"x_mine": "Bearer sk-mine"}, "sk-mine"),
        ({}, None),
        ({"authorization": ""}, None),
        ({"x_another": "sk-1"}, None),
    ],
)
def test_every_place_of_the_contract_is_looked_at(values: dict[str, str], found: str | None) -> None:
    assert credential(headers(**values), "x-mine") == found


ORDER = (
    "x_mine",
    "x_litellm_api_key",
    "authorization",
    "api_key",
    "x_api_key",
    "x_goog_api_key",
    "ocp_apim_subscription_key",
)


@pytest.mark.parametrize("place", range(len(ORDER) - 1))
def test_the_places_have_an_order(place: int) -> None:
    values = {name: f"sk-{name}" for name in reversed(ORDER[place:])}
    assert credential(headers(**values), "x-mine") == f"sk-{ORDER[place]}"


@pytest.mark.parametrize(
    "told", ["sk-master-3f8a1d", "", "sk-master-3f8a1", "sk-master-3f8a1dd", "SK-MASTER-3F8A1D", "\udcff", "x" * 9999]
)
def test_only_the_whole_master_key_is_the_admin(told: str) -> None:
    principal = MasterKey(Secret("sk-master-3f8a1d")).authenticate(told)
    assert (principal is not None and principal.is_admin) is (told == "sk-master-3f8a1d")


def test_a_text_loses_the_credentials_of_its_request_and_nothing_else() -> None:
    sent = headers(authorization="Bearer opaque-token-77", cookie="session=abcdef123", x_api_key="no")
    text = "cannot decode opaque-token-77 of 'Bearer opaque-token-77' with session=abcdef123, no"
    assert conceal(text, sent) == "cannot decode ********** of '**********' with **********, no"
    assert conceal("nothing here", headers()) == "nothing here"
