"""What every target does: take finished requests in batches, and say how many it refused for good.

Queues and retries are `telling`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from routeiq_callbacks.finished import Finished
from routeiq_sdk import Gateway, RouteIQError

_SECONDS = 20.0
_AT_ONCE = 8
_TOO_LARGE = 413


class NotTaken(RouteIQError):
    """The target did not take a batch; trying again may help. `status` is 0 when it answered nothing of use."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class Target(Protocol):
    """One destination. Its construction touches nothing outside."""

    @property
    def name(self) -> str:
        """For logs and health: kind and place, no secrets."""

    @property
    def origins(self) -> tuple[str, ...]:
        """URLs of the operator that it calls."""

    async def open(self) -> None:
        """Load what it needs. Raises `PluginError` when that is not there."""

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Tell them; how many of them it will never take. What was told before may be told again, under the same ids.

        Raises `NotTaken`, or what `gateway.egress` raises.
        """


class Door(NamedTuple):
    """How the gateway's egress shall look at a target: whether its address is a stranger's word, and whose egress lists
    bind it."""

    untrusted: bool = False
    tenants: tuple[str, ...] = ()


OPERATORS = Door()


class Posting:
    """An address that takes items in posts: how they are joined, and how large a post may be."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        before: bytes = b"[",
        between: bytes = b",",
        after: bytes = b"]",
        most_items: int = 100,
        most_bytes: int = 3_000_000,
        taken: Sequence[int] = (),
        pack: Callable[[bytes], bytes] | None = None,
        door: Door | None = None,
    ) -> None:
        self.url = url
        self._headers = headers
        self._frame = (before, between, after)
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._taken = taken
        self._pack = pack
        self._door = door or OPERATORS

    async def post(
        self, gateway: Gateway, items: Sequence[bytes], answered: Callable[[bytes], int] = lambda answer: 0
    ) -> int:
        """Post all items, in as many posts as they need; how many were refused, as `answered` reads the answers.

        A post that is too large for the other side is halved; an item that is too large on its own is refused.
        """
        return sum([await self._post(gateway, part, answered) for part in self._parts(items)])

    async def _post(self, gateway: Gateway, items: Sequence[bytes], answered: Callable[[bytes], int]) -> int:
        before, between, after = self._frame
        body = before + between.join(items) + after
        if self._pack is not None:  # megabytes of it: requests do not wait for that
            body = await asyncio.to_thread(self._pack, body)
        try:
            return answered(await send(gateway, "POST", self.url, self._headers, body, self._taken, self._door))
        except NotTaken as error:
            if error.status != _TOO_LARGE:
                raise
        if len(items) == 1:
            return 1
        half = len(items) // 2
        return sum([await self._post(gateway, part, answered) for part in (items[:half], items[half:])])

    def _parts(self, items: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        part: list[bytes] = []
        size = 0
        for item in items:
            if part and (len(part) == self._most_items or size + len(item) > self._most_bytes):
                yield part
                part, size = [], 0
            part.append(item)
            size += len(item)
        if part:
            yield part


async def send(
    gateway: Gateway,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    taken: Sequence[int] = (),
    door: Door | None = None,
) -> bytes:
    """One call; its answer. Raises `NotTaken` unless it was answered 2xx or with one of `taken`."""
    door = door or OPERATORS
    async with gateway.egress.call(
        method,
        url,
        headers=headers,
        body=body,
        timeout_seconds=_SECONDS,
        untrusted=door.untrusted,
        tenants=door.tenants,
    ) as answer:
        told = await answer.read()
        if not (200 <= answer.status < 300 or answer.status in taken):
            raise NotTaken(f"{place(url)} answered {answer.status}", answer.status)
        return told


async def few_at_once(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run all calls, a few at once; raises the first failure after all of them ended."""
    for start in range(0, len(calls), _AT_ONCE):
        ended = await asyncio.gather(*(call() for call in calls[start : start + _AT_ONCE]), return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome


def place(url: str) -> str:
    """Scheme, host and port. Paths and queries may hold secrets: many webhooks are known by theirs alone."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
