"""The tool loop: a chat request that may use the gateway's tools is asked of the model until it has its answer.

Each question to the model is a nested call, each tool call walks the tools' own road; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from routeiq.wires import anthropic_requests
from routeiq.wires.body import Body
from routeiq.wires.extensions import without_extensions
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.tools import Toolbox

WIRES = frozenset({"openai-chat", "anthropic-messages"})
_AT_ONCE = 8

Ask = Callable[[Mapping[str, Any]], Awaitable["Asked"]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A model's answer (an OpenAI chat completion) and what it cost, in nano-USD."""

    answer: Mapping[str, Any]
    cost: int | None


def may_name_tools(body: Body) -> bool:
    """Whether a request could name the gateway's tools. Cheap: nothing is parsed."""
    if body.wire not in WIRES:
        return False
    tools = body.fields.get("tools")
    return "mcp_servers" in body.fields or (tools is not None and b"mcp" in bytes(tools))


async def run(ctx: Context, body: Body, toolbox: Toolbox, ask: Ask, rounds: int) -> Asked:
    """Ask until the model answers without the gateway's tools; usage and cost of all rounds are added up.

    A call of a tool that is the client's own ends the loop: the client has to run it. In the last of `rounds` the model
    may call no tool. Raises `RequestError`.
    """
    chat = _chat(body, toolbox)
    usage: dict[str, Any] = {}
    cost: int | None = None
    for number in range(1, rounds + 1):
        if number == rounds and rounds > 1:
            chat["tool_choice"] = "none"
        asked = await ask(chat)
        usage = _added(usage, asked.answer.get("usage") or {})
        cost = asked.cost if cost is None else cost + (asked.cost or 0)
        message = _message(asked.answer)
        calls = message.get("tool_calls") or []
        own = [call for call in calls if toolbox.owns(_name(call))]
        if not own or len(own) < len(calls):
            return Asked(_without({**asked.answer, "usage": usage}, own), cost)
        if number == rounds:
            break
        chat["messages"] = [*chat["messages"], message, *await _results(ctx, toolbox, own)]
        if chat.get("tool_choice") not in (None, "none"):
            chat["tool_choice"] = "auto"  # what the client forced was done; forced again it would never end
    raise RequestError(
        400,
        f"the model did not come to an answer within {rounds} rounds of tool calls",
        type="tool_rounds_exceeded",
        code="tool_rounds_exceeded",
    )


def _chat(body: Body, toolbox: Toolbox) -> dict[str, Any]:
    asked = dict(toolbox.body)
    if body.wire == "anthropic-messages":
        asked = without_extensions(anthropic_requests.to_chat(asked))
    if asked.get("n") not in (None, 1):
        raise RequestError(400, "requests that use the gateway's tools give one choice: leave n out", param="n")
    for name in ("stream", "stream_options"):
        asked.pop(name, None)
    return {**asked, "model": body.model, "tools": [*(asked.get("tools") or ()), *toolbox.functions]}


async def _results(ctx: Context, toolbox: Toolbox, calls: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def result(call: Mapping[str, Any]) -> dict[str, Any]:
        async with gate:
            text = await _call(ctx, toolbox, call)
        return {"role": "tool", "tool_call_id": call.get("id"), "content": text}

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result(call)) for call in calls]
    except* RequestError as refused:
        raise refused.exceptions[0] from None
    return [task.result() for task in tasks]


async def _call(ctx: Context, toolbox: Toolbox, call: Mapping[str, Any]) -> str:
    written = (call.get("function") or {}).get("arguments") or "{}"
    try:
        arguments = orjson.loads(written)
    except (orjson.JSONDecodeError, TypeError):
        arguments = None
    if not isinstance(arguments, dict):
        return "The arguments are no JSON object; call the tool again with one."
    return await toolbox.call(ctx, _name(call), arguments)


def _name(call: Any) -> str:
    function = call.get("function") if isinstance(call, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else ""


def _message(answer: Mapping[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices") or [{}]
    return dict(choices[0].get("message") or {})


def _without(answer: dict[str, Any], own: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer without calls that the client knows nothing of."""
    if not own:
        return answer
    hidden = {call.get("id") for call in own}
    choice = dict(answer["choices"][0])
    message = _message(answer)
    message["tool_calls"] = [call for call in message["tool_calls"] if call.get("id") not in hidden]
    return {**answer, "choices": [{**choice, "message": message}]}


def _added(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of two usage objects, field by field."""
    total = dict(left)
    for name, value in right.items():
        known = total.get(name)
        if isinstance(value, Mapping):
            total[name] = _added(known if isinstance(known, Mapping) else {}, value)
        elif isinstance(value, int | float) and isinstance(known, int | float):
            total[name] = known + value
        else:
            total[name] = value
    return total
