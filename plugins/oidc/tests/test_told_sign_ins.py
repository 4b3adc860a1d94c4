"""Sign-ins are committed before the browser hears of them."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_oidc.login.flow import Arrival
from routeiq_oidc.login.routes import Browser
from routeiq_oidc.login.session import Sessions
from routeiq_oidc.people.identity import Identity
from routeiq_oidc.tokens.refusal import Refused
from routeiq_sdk import Event, Principal, RequestError, Secret
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.http import Headers, HttpRequest


class Door:
    """Where people come from and who they are, without an issuer."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal

    async def arrive(self, query: Any, carried: Any) -> Arrival:
        if self.refusal is not None:
            raise Refused(self.refusal)
        return Arrival(Identity(None, "ada", "ada"), "/")

    async def principal(self, identity: Identity) -> Principal:
        return Principal(identity.id, kind="user", user="ada", team="makers")


class FullDisk(FakeGateway):
    async def commit(self, event: Event) -> None:
        raise RequestError(503, "no room", type="audit_unavailable")


def browser(gateway: FakeGateway, door: Door) -> Browser:
    sessions = Sessions(Secret("s" * 40), minutes=5, secure=False, gateway=gateway)
    return Browser(door, sessions, door, gateway, secure=False)  # type: ignore[arg-type]


def back(path: str = "/sso/callback") -> HttpRequest:
    return HttpRequest("GET", path, {}, {}, Headers([]), b"", None, request_id="req-7", client="127.0.0.1")


async def test_who_signs_in_is_told() -> None:
    gateway = FakeGateway()
    answer = await browser(gateway, Door()).callback(back())
    assert answer.status == 302
    (event,) = gateway.committed
    told = {name: event.payload[name] for name in ("step", "principal", "user", "team", "request_id", "client")}
    assert (event.name, told) == (
        "routeiq.sign_in.v1",
        {
            "step": "signed_in",
            "principal": "oidc:ada",
            "user": "ada",
            "team": "makers",
            "request_id": "req-7",
            "client": "127.0.0.1",
        },
    )


async def test_who_is_not_let_in_is_told_with_the_reason() -> None:
    gateway = FakeGateway()
    answer = await browser(gateway, Door("your team has no seat here")).callback(back())
    assert answer.status == 401
    (event,) = gateway.committed
    assert (event.payload["step"], event.payload["reason"]) == ("refused", "your team has no seat here")


async def test_nobody_gets_a_session_that_could_not_be_written_down() -> None:
    with pytest.raises(RequestError) as refused:
        await browser(FullDisk(), Door()).callback(back())
    assert refused.value.status == 503
