"""A caller's tasks, page by page: from the gateway's own notes, since an agent shows its tasks to the gateway as one.

Fetching one task afresh is the forwarder's business.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence

from a2a.types import ListTasksRequest, ListTasksResponse, Task, TaskState
from a2a.utils.errors import A2AError

from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.forwarding.tasks import TERMINAL, Known, Tasks
from routeiq_a2a.wire.errors import invalid
from routeiq_sdk import RequestError, RouteIQError

_USUAL_PAGE, _LARGEST_PAGE = 50, 100
_AT_ONCE = 8
Fetch = Callable[[str, int], Awaitable[Task]]
"""A task afresh, with so much history."""


async def listed(tasks: Tasks, caller: Caller, request: ListTasksRequest, fetch: Fetch) -> ListTasksResponse:
    """One page. Raises `InvalidParamsError`."""
    size = request.page_size if request.HasField("page_size") else _USUAL_PAGE
    if not 1 <= size <= _LARGEST_PAGE:
        raise invalid("pageSize", f"pageSize is from 1 to {_LARGEST_PAGE}.")
    history = request.history_length if request.HasField("history_length") else 0
    if history < 0:
        raise invalid("historyLength", "historyLength is not below 0.")
    fitting = [known for known in await tasks.all_of(caller) if _fits(known, request)]
    begin = _after(fitting, request.page_token) if request.page_token else 0
    page = fitting[begin : begin + size]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def fresh(known: Known) -> Task:
        state = known.task.status.state
        final = state in TERMINAL or known.question is not None
        if final and not (request.include_artifacts or history):
            return known.task
        if known.question is not None:
            return known.task
        async with limit:
            try:
                task = await fetch(known.task.id, history)
            except (A2AError, RequestError, RouteIQError):
                return known.task  # a task that cannot be fetched now is listed as it was
        if not history:
            del task.history[:]
        if not request.include_artifacts:
            del task.artifacts[:]
        return task

    shown = await asyncio.gather(*(fresh(known) for known in page))
    more = begin + size < len(fitting)
    return ListTasksResponse(
        tasks=shown,
        page_size=size,
        total_size=len(fitting),
        next_page_token=_token(page[-1]) if more and page else "",
    )


def _fits(known: Known, request: ListTasksRequest) -> bool:
    if request.context_id and known.task.context_id != request.context_id:
        return False
    if request.status != TaskState.TASK_STATE_UNSPECIFIED and known.task.status.state != request.status:
        return False
    after = request.status_timestamp_after
    return not request.HasField("status_timestamp_after") or known.updated_ns >= after.ToNanoseconds()


def _token(known: Known) -> str:
    return base64.urlsafe_b64encode(f"{known.updated_ns}:{known.task.id}".encode()).decode()


def _after(tasks: Sequence[Known], token: str) -> int:
    try:
        moment, _, task_id = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        place = (-int(moment), task_id)
    except (ValueError, binascii.Error, UnicodeError):
        raise invalid("pageToken", "pageToken is none that this gateway gave.") from None
    return next((i for i, each in enumerate(tasks) if (-each.updated_ns, each.task.id) > place), len(tasks))
