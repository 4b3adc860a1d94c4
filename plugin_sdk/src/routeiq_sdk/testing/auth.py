"""The contract of plugins that find out who calls.

What a caller may do is `authorize`'s; key life cycles are tested where they live.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from routeiq_sdk.context import Context
from routeiq_sdk.secret import Secret
from routeiq_sdk.testing.fakes import make_context
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.verdict import Reject

_CARRIERS = (
    "x-litellm-api-key",
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
)
Pairs = tuple[tuple[str, str], ...]


class AuthContract(PluginContract):
    """What an authenticator promises: it never raises on a stranger's headers, it answers `Principal`, `Reject` or
    `None`, and it lets in its own credential alone."""

    group: ClassVar[str] = "routeiq.auth"
    credentials: ClassVar[Mapping[str, str]]
    """Headers with a valid credential."""
    headers: ClassVar[Sequence[str]] = ("authorization", "x-api-key", "api-key", "cookie")
    """Headers that strangers fill with anything. Add those that the plugin reads."""

    def make_stranger(self, headers: Pairs) -> Context:
        """The context of a request with these headers, before anybody was authenticated."""
        context = make_context(headers=headers)
        context._principal = None
        context._request = None
        carried = {name.lower(): value for name, value in headers}
        told = next((carried[name] for name in _CARRIERS if name in carried), None)
        if told is not None:
            scheme, _, rest = told.partition(" ")
            context.credential = Secret(rest if scheme.lower() in ("bearer", "basic") and rest else told)
        return context

    def answers(self, requests: Sequence[Pairs]) -> list[Any]:
        """What one instance says to each of `requests`."""

        async def ask() -> list[Any]:
            async with running(self.make(), self.make_gateway()) as plugin:
                return [await call_hook(plugin, "authenticate", self.make_stranger(pairs)) for pairs in requests]

        return asyncio.run(ask())

    def test_its_credential_gives_a_principal(self) -> None:
        (answer,) = self.answers([tuple(self.credentials.items())])
        assert isinstance(answer, Principal), f"its own credential got {answer}"

    def test_the_principal_does_not_hold_the_credential(self) -> None:
        (answer,) = self.answers([tuple(self.credentials.items())])
        for value in self.credentials.values():
            secret = value.split()[-1]
            assert secret not in repr(answer), "records name the principal: use a hash or a key id"

    def test_a_request_without_credentials_is_not_its_own(self) -> None:
        (answer,) = self.answers([()])
        assert not isinstance(answer, Principal), f"nobody was taken for {answer}"

    def test_hostile_headers_get_an_answer_and_never_a_principal(self) -> None:
        hostile = list(hostile_headers(self.headers))
        for pairs, answer in zip(hostile, self.answers(hostile), strict=True):
            assert answer is None or isinstance(answer, Reject), f"{pairs!r:.200} got {answer!r:.200}"

    def test_a_credential_that_is_off_by_one_is_not_accepted(self) -> None:
        near = [((name, wrong),) for name, value in self.credentials.items() for wrong in _nearly(value)]
        for pairs, answer in zip(near, self.answers(near), strict=True):
            assert not isinstance(answer, Principal), f"{pairs} was accepted"


def hostile_headers(names: Sequence[str]) -> Iterator[Pairs]:
    """A few hundred requests with headers that break careless parsers; the same ones each time."""
    dice = random.Random(13)  # noqa: S311
    for name in names:
        for value in _HOSTILE:
            yield ((name, value),)
            yield ((name, value), (name, "Bearer second"))
    for _ in range(200):
        latin = "".join(chr(dice.randrange(256)) for _ in range(dice.randrange(80)))
        prefix = dice.choice(("", "Bearer ", "Basic ", "bearer\t", "Digest "))
        yield ((dice.choice(list(names)), prefix + latin),)


def _jwt(*parts: bytes) -> str:
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


_HOSTILE = (
    "",
    " ",
    "Bearer",
    "Bearer ",
    "Bearer  two  spaces",
    "bearer null",
    "Basic",
    "Basic !!!!",
    "Basic " + base64.b64encode(b"no-colon").decode(),
    "Basic " + base64.b64encode(b"\xff\xfe:\x00").decode(),
    "Bearer " + "A" * 65_536,
    "Bearer \x00\x01\x7f",
    "Bearer \xe9\xff",
    "Bearer a\r\nx-api-key: b",
    "Bearer ../../etc/passwd",
    "Bearer ' OR 1=1 --",
    "Bearer {{7*7}}",
    "Bearer %00%0a",
    "Bearer .",
    "Bearer ..",
    "Bearer a.b.c",
    _jwt(b'{"alg":"none"}', b'{"sub":"admin"}', b""),
    _jwt(b'{"alg":"HS256"}', b'{"sub":"admin"}', b"x"),
    _jwt(b'{"alg":"HS256","kid":"../../dev/null"}', b"{}", b""),
    _jwt(b'{"alg":1}', b"[]", b""),
    _jwt(b"{" * 2000, b"null", b""),
    _jwt(b"\xff", b"\xff", b"\xff"),
)


def _nearly(value: str) -> Iterator[str]:
    """The value with its last character changed, cut off, or doubled."""
    yield value[:-1] + ("x" if value[-1] != "x" else "y")
    yield value[:-1]
    yield value + value[-1]
