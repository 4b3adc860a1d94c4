"""Clients' webhooks, each with an address and a secret of the gateway's that the agent is given in its place.

Calling a client's webhook is `push.delivery`'s business.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson
from a2a.types import TaskPushNotificationConfig
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError

from routeiq_a2a.config import PushSettings
from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.sealing import Sealer, Unsealable
from routeiq_a2a.wire.errors import invalid
from routeiq_sdk import Gateway, RouteIQError

_TABLE = "a2a.hooks"
_TASKS = "a2a.hooks_of"
_LONGEST_URL = 2048
_LONGEST_SECRET = 4096


@dataclass(frozen=True, slots=True)
class Hook:
    """`id` is in the gateway's address, `secret` is the SHA-256 of what the agent sends with it."""

    id: str
    agent: str
    owner: str
    version: str
    config: dict[str, Any]
    secret: str
    tenants: tuple[str, ...] = ()
    task: str | None = None

    @property
    def told(self) -> TaskPushNotificationConfig:
        """The webhook as its client gave it."""
        config = of_json(self.config, TaskPushNotificationConfig())
        config.task_id = self.task or ""
        return config

    def proves(self, secret: str | None) -> bool:
        """Whether whoever calls is the agent that was given this address."""
        told = hashlib.sha256((secret or "").encode("utf-8", "surrogateescape")).hexdigest()
        return hmac.compare_digest(told, self.secret)


class Hooks:
    """The webhooks of all tasks, sealed in the state store."""

    def __init__(self, gateway: Gateway, sealer: Sealer, settings: PushSettings, *, days: float) -> None:
        self._gateway = gateway
        self._state = gateway.state
        self._sealer = sealer
        self._most = settings.most
        self._seconds = days * 86_400

    async def open(
        self, caller: Caller, config: TaskPushNotificationConfig, task_id: str | None
    ) -> tuple[Hook, TaskPushNotificationConfig]:
        """Keep a client's webhook; with it what the agent is to be told. Raises `InvalidParamsError`."""
        principal = caller.ctx.identified
        tenants = principal.tenants if principal is not None else ()
        await self._check(config, tenants)
        if task_id is not None and len(await self.of_task(caller, task_id)) >= self._most:
            raise InvalidParamsError(f"A task has at most {self._most} webhooks; delete one first.")
        kept = TaskPushNotificationConfig()
        kept.CopyFrom(config)
        kept.ClearField("tenant")
        kept.id = config.id or str(uuid.uuid4())
        if task_id is not None:
            same = await self.find(caller, task_id, kept.id)
            if same is not None:
                await self._remove(same)  # the same id again means the same webhook, changed
        secret = secrets.token_urlsafe(32)
        hook = Hook(
            secrets.token_urlsafe(24),
            caller.agent.id,
            caller.owner,
            caller.version,
            to_json(kept),
            hashlib.sha256(secret.encode()).hexdigest(),
            tuple(tenants),
            task_id,
        )
        await self._save(hook)
        url = f"{caller.base}/a2a/{quote(caller.agent.name)}/push/{hook.id}"
        told = TaskPushNotificationConfig(id=hook.id, task_id=task_id or "", url=url, token=secret)
        return hook, told

    async def bind(self, hook: Hook, task_id: str) -> Hook:
        """The task of a webhook that was given before there was one."""
        bound = replace(hook, task=task_id)
        await self._save(bound)
        return bound

    async def by_id(self, id: str) -> Hook | None:
        """The webhook behind an address of the gateway's."""
        sealed = await self._state.get(_TABLE, id)
        return self._opened(id, sealed) if sealed is not None else None

    async def of_task(self, caller: Caller, task_id: str) -> list[Hook]:
        """The webhooks of a task, in the order of their ids."""
        found = []
        async for _, raw in self._state.scan(_TASKS, _prefix(caller.agent.id, caller.owner, task_id)):
            hook = await self.by_id(raw.decode())
            if hook is not None:
                found.append(hook)
        return sorted(found, key=lambda each: str(each.config.get("id", "")))

    async def find(self, caller: Caller, task_id: str, config_id: str) -> Hook | None:
        """A webhook of a task by the id that its client knows."""
        return next((each for each in await self.of_task(caller, task_id) if each.config.get("id") == config_id), None)

    async def require(self, caller: Caller, task_id: str, config_id: str) -> Hook:
        """As `find`; raises `TaskNotFoundError`."""
        hook = await self.find(caller, task_id, config_id)
        if hook is None:
            raise TaskNotFoundError("There is no such webhook of this task.")
        return hook

    async def remove(self, hook: Hook) -> None:
        """Forget a webhook: what the agent still sends is refused."""
        await self._remove(hook)

    async def _remove(self, hook: Hook) -> None:
        await self._state.delete(_TABLE, hook.id)
        if hook.task is not None:
            await self._state.delete(_TASKS, _prefix(hook.agent, hook.owner, hook.task) + hook.id)

    async def _save(self, hook: Hook) -> None:
        plain = orjson.dumps({name: getattr(hook, name) for name in Hook.__slots__})
        await self._state.put(
            _TABLE, hook.id, self._sealer.seal(plain, f"{_TABLE}/{hook.id}"), ttl_seconds=self._seconds
        )
        if hook.task is not None:
            key = _prefix(hook.agent, hook.owner, hook.task) + hook.id
            await self._state.put(_TASKS, key, hook.id.encode(), ttl_seconds=self._seconds)

    def _opened(self, id: str, sealed: bytes) -> Hook | None:
        try:
            record = orjson.loads(self._sealer.open(sealed, f"{_TABLE}/{id}"))
        except (Unsealable, ValueError):
            return None
        return Hook(**{**record, "tenants": tuple(record["tenants"])})

    async def _check(self, config: TaskPushNotificationConfig, tenants: tuple[str, ...]) -> None:
        if not config.url or len(config.url) > _LONGEST_URL:
            raise invalid("url", "The webhook has no url, or one that is too long.")
        texts = (config.token, config.authentication.scheme, config.authentication.credentials)
        if any(len(text) > _LONGEST_SECRET or not text.isprintable() or not text.isascii() for text in texts):
            raise invalid("authentication", "The webhook's token or authentication cannot be sent in a header.")
        try:
            await self._gateway.egress.vet(config.url, tenants=tenants)
        except RouteIQError:
            raise invalid("url", "The gateway does not call this webhook: its address is not public.") from None


def _prefix(agent: str, owner: str, task_id: str) -> str:
    return f"{agent}/{owner}/{hashlib.sha256(task_id.encode()).hexdigest()}/"
