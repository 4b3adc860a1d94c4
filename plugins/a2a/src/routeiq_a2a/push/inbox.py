"""Where agents post: the gateway's own webhook, one address a client's webhook, which proves itself by its secret.

What arrived is kept before it is acknowledged; sending it on is `push.delivery`'s business.
"""

from __future__ import annotations

import orjson
from a2a.types import StreamResponse
from a2a.utils.errors import A2AError

from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_a2a.push.delivery import Deliveries
from routeiq_a2a.push.hooks import Hooks
from routeiq_a2a.push.payloads import bare, read, task_of, written
from routeiq_a2a.registry.registry import Registry
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_TOKEN = "x-a2a-notification-token"  # noqa: S105 - the name of a header
_MOST_BYTES = 4 * 1024 * 1024


class Inbox:
    """One route. To whoever does not know the secret, no address exists."""

    def __init__(self, registry: Registry, hooks: Hooks, tasks: Tasks, road: Road, deliveries: Deliveries) -> None:
        self._registry = registry
        self._hooks = hooks
        self._tasks = tasks
        self._road = road
        self._deliveries = deliveries

    async def post(self, request: HttpRequest) -> HttpResponse:
        """Take what an agent posts."""
        hook = await self._hooks.by_id(request.path_params["hook"])
        agent = self._registry.find(request.path_params["agent"])
        if hook is None or agent is None or agent.id != hook.agent or not hook.proves(_secret(request)):
            return HttpResponse.json({"error": "There is no such webhook."}, 404)
        if len(request.body) > _MOST_BYTES:
            return HttpResponse.json({"error": "The notification is too long."}, 413)
        try:
            event = read(orjson.loads(request.body))
        except ValueError:
            event = None
        if event is None:
            return HttpResponse.json({"error": "This is no notification of A2A."}, 400)
        assert request.context is not None
        caller = Caller(request.context, agent, "", hook.owner, hook.version)
        task_id = task_of(event)
        try:
            if hook.task is None and task_id:
                await self._tasks.claim(caller, task_id)
                hook = await self._hooks.bind(hook, task_id)
            if not task_id or hook.task != task_id:
                return HttpResponse.json({"error": "The notification is about another task."}, 400)
            await self._tasks.saw(caller, event)
        except A2AError as error:
            return HttpResponse.json({"error": error.message}, 400)
        passed = await self._guarded(caller, event)
        await self._deliveries.put(hook, orjson.dumps(written(passed, hook.version)))
        return HttpResponse.json({})

    async def _guarded(self, caller: Caller, event: StreamResponse) -> StreamResponse:
        try:
            return await self._road.passed(caller, event)
        except RequestError:
            return bare(event)  # the client hears that something happened, and asks for it as itself


def _secret(request: HttpRequest) -> str | None:
    told = request.headers.get(_TOKEN)
    if told is None:
        scheme, _, credentials = (request.headers.get("authorization") or "").partition(" ")
        told = credentials.strip() if scheme.lower() == "bearer" else None
    return told
