"""Calling clients' webhooks: in order for each, tried again with growing waits, by one replica at a time.

What is delivered was written by whoever put it here; nothing in it is looked at.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson
from a2a.utils.constants import A2A_JSON_MEDIA_TYPE

from routeiq_a2a.config import PushSettings
from routeiq_a2a.push.hooks import Hook, Hooks
from routeiq_a2a.sealing import Sealer, Unsealable
from routeiq_sdk import Gateway, StoreUnavailable

log = logging.getLogger(__name__)
_TABLE = "a2a.deliveries"
_CHANNEL = "a2a.deliveries"
_LEASE = "a2a.deliveries"
_LEASE_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_AT_ONCE = 16
_KEPT_SECONDS = 2 * 86_400.0
_GOOD = range(200, 300)
_GONE = 410


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One notification on its way. `due` is in nanoseconds of the clock."""

    key: str
    hook: str
    body: str
    attempts: int
    due: int


class Deliveries:
    """The queue, in the state store."""

    def __init__(self, gateway: Gateway, hooks: Hooks, sealer: Sealer, settings: PushSettings) -> None:
        self._gateway = gateway
        self._state = gateway.state
        self._hooks = hooks
        self._sealer = sealer
        self._settings = settings
        self._owner = uuid.uuid4().hex

    async def put(self, hook: Hook, body: bytes) -> None:
        """Keep a notification until it is delivered or given up."""
        number = self._gateway.clock.now_ns()
        await self._keep(_Delivery(f"{hook.id}/{number:020d}-{uuid.uuid4().hex[:8]}", hook.id, body.decode(), 0, 0))
        await self._state.publish(_CHANNEL, b"")

    async def run(self) -> None:
        """Deliver, for as long as the gateway lives."""
        try:
            await self._run()
        finally:
            await self._state.release(_LEASE, self._owner)  # whoever comes next need not wait for its end

    async def _run(self) -> None:
        while True:
            try:
                async with self._state.subscribe(_CHANNEL) as put:
                    while True:
                        wait = await self._turn()
                        try:
                            async with asyncio.timeout(wait):
                                await anext(put)
                        except TimeoutError:
                            break  # subscribe anew: a message that came while we waited must not be lost
            except (StoreUnavailable, OSError, StopAsyncIteration):
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("deliveries of push notifications stopped for a moment")
                await asyncio.sleep(1.0)

    async def _turn(self) -> float:
        """Deliver what is due; seconds until the next look."""
        if await self._state.acquire(_LEASE, self._owner, _LEASE_SECONDS) is None:
            return _LOOK_SECONDS
        waiting: dict[str, list[_Delivery]] = {}
        async for key, sealed in self._state.scan(_TABLE):
            delivery = self._opened(key, sealed)
            if delivery is None:
                await self._state.delete(_TABLE, key)
                continue
            waiting.setdefault(delivery.hook, []).append(delivery)
        limit = asyncio.Semaphore(_AT_ONCE)
        renewing = asyncio.create_task(self._hold(), name="a2a hold the deliveries")
        try:
            nexts = await asyncio.gather(*(self._line(line, limit) for line in waiting.values()))
        finally:
            renewing.cancel()
        now = self._gateway.clock.now_ns()
        soonest = min((due for due in nexts if due is not None), default=None)
        return _LOOK_SECONDS if soonest is None else min(max((soonest - now) / 1e9, 0.05), _LOOK_SECONDS)

    async def _hold(self) -> None:
        while True:
            await asyncio.sleep(_LEASE_SECONDS / 3)
            await self._state.renew(_LEASE, self._owner, _LEASE_SECONDS)

    async def _line(self, line: list[_Delivery], limit: asyncio.Semaphore) -> int | None:
        """Deliver to one webhook, oldest first, up to the first that fails; when to go on."""
        async with limit:
            for delivery in line:
                if delivery.due > self._gateway.clock.now_ns():
                    return delivery.due
                hook = await self._hooks.by_id(delivery.hook)
                if hook is None or await self._delivered(hook, delivery):
                    await self._state.delete(_TABLE, delivery.key)
                    continue
                attempts = delivery.attempts + 1
                if attempts >= self._settings.attempts:
                    log.warning("a push notification was given up after %d tries", attempts)
                    await self._state.delete(_TABLE, delivery.key)
                    continue
                later = replace(delivery, attempts=attempts, due=self._gateway.clock.now_ns() + self._wait(attempts))
                await self._keep(later)
                return later.due
        return None

    def _wait(self, attempts: int) -> int:
        seconds = min(self._settings.first_delay * 4 ** (attempts - 1), self._settings.longest_delay)
        return int(seconds * 1e9)

    async def _delivered(self, hook: Hook, delivery: _Delivery) -> bool:
        told = hook.told
        headers: dict[str, str] = {"content-type": "application/json"}
        if hook.version == "1.0":
            headers = {"content-type": A2A_JSON_MEDIA_TYPE, "a2a-version": hook.version}
        if told.token:
            headers["X-A2A-Notification-Token"] = told.token
        if told.authentication.scheme and told.authentication.credentials:
            headers["Authorization"] = f"{told.authentication.scheme} {told.authentication.credentials}"
        try:
            call = self._gateway.egress.call(
                "POST",
                told.url,
                headers=headers,
                body=delivery.body.encode(),
                timeout_seconds=self._settings.timeout,
                max_bytes=64 * 1024,
                untrusted=True,
                tenants=hook.tenants,
            )
            async with call as answer:
                return answer.status in _GOOD or answer.status == _GONE
        except Exception as error:  # whatever it is, the webhook was not called: try again
            log.info("a webhook was not called: %s", type(error).__name__)
            return False

    async def _keep(self, delivery: _Delivery) -> None:
        plain: Mapping[str, object] = {
            "hook": delivery.hook,
            "body": delivery.body,
            "attempts": delivery.attempts,
            "due": delivery.due,
        }
        sealed = self._sealer.seal(orjson.dumps(plain), f"{_TABLE}/{delivery.key}")
        await self._state.put(_TABLE, delivery.key, sealed, ttl_seconds=_KEPT_SECONDS)

    def _opened(self, key: str, sealed: bytes) -> _Delivery | None:
        try:
            return _Delivery(key, **orjson.loads(self._sealer.open(sealed, f"{_TABLE}/{key}")))
        except (Unsealable, ValueError, TypeError):
            return None
