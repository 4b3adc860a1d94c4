"""The base of guards: one way of looking at a text becomes every hook of a guard, on every wire, whole or streamed.

What is looked for lives in the guards' own distributions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from routeiq_sdk.context import Context
from routeiq_sdk.filters import AsyncStreamFilter, Chain, StreamFilter
from routeiq_sdk.gateway import Gateway
from routeiq_sdk.guards.findings import Finding, Inspector, labels, replaced
from routeiq_sdk.guards.passages import (
    Joined,
    Passage,
    json_of,
    put,
    read_answer,
    read_definition,
    read_request,
    read_result,
)
from routeiq_sdk.guards.rails import (
    VIOLATION,
    GuardConfig,
    Mode,
    Rail,
    RailOptions,
    named_by,
    rails_of,
    without_defaults,
)
from routeiq_sdk.guards.windows import WholeJson, Window
from routeiq_sdk.hooks.marks import hookimpl
from routeiq_sdk.plugin import Need, Plugin
from routeiq_sdk.values.models import Deployment
from routeiq_sdk.values.tools import ToolCall, ToolDefinition, ToolResult
from routeiq_sdk.values.verdict import MOST_NOTED, Reject, Replace, Ruling, Stop

APPLIED_HEADER = "x-litellm-applied-guardrails"
THREAD_CHARS = 32 * 1024
"""Texts longer than this together are looked at in a thread, so that other requests go on."""

C = TypeVar("C", bound=GuardConfig[Any])
O = TypeVar("O", bound=RailOptions)  # noqa: E741

_TO_REQUEST = frozenset({Mode.PRE, Mode.LOGGING})
_BESIDE_CALL = frozenset({Mode.DURING})
_TO_ANSWER = frozenset({Mode.POST, Mode.LOGGING})
_TO_TOOL = frozenset({Mode.PRE, Mode.TOOL})
_TO_RESULT = frozenset({Mode.POST, Mode.RESULT})
_READERS = {
    "guard_response": read_answer,
    "guard_tool_result": read_result,
    "guard_tool_definition": read_definition,
}


_JudgePart = Callable[[str, str], str | Stop]
"""What a text becomes, or the stop; the second says what it is, as in `Passage.part`."""


@dataclass(slots=True)
class _Chosen:
    """The guardrails of one request."""

    rails: tuple[Rail[Any], ...]


class TextGuard(Plugin[C], Generic[C, O]):
    """A guard of content. Give it `kinds` through its `Config`, and an `inspector`.

    ```python
    class Options(RailOptions):
        word: str = Field(description="The word to refuse.")


    class Config(GuardConfig[Options]):
        kinds = frozenset({"one-word"})


    class OneWord(TextGuard[Config, Options]):
        Config = Config

        def inspector(self, ctx: Context, rail: Rail[Options]) -> Inspector:
            return Word(rail.options.word)
    ```

    A finding without a replacement refuses: a request or a whole answer with 400, a stream with an error event. One
    with a replacement changes the text, where text can be changed; elsewhere (`during_call`, names of fields) it
    refuses too.
    """

    needs: ClassVar[frozenset[Need]] = frozenset(
        {Need.READS_BODY, Need.MUTATES_REQUEST, Need.READS_RESPONSE, Need.READS_STREAM_TEXT}
    )

    def __init__(self, config: C) -> None:
        super().__init__(config)
        self.rails: tuple[Rail[O], ...] = rails_of(config)
        self._gateway: Gateway | None = None

    # What a guard gives

    def inspector(self, ctx: Context, rail: Rail[O]) -> Inspector:
        """What looks at the texts of this request for `rail`."""
        raise NotImplementedError("give an inspector")  # a guard that overrides `judge` and `watch` is never asked

    def restorer(self, ctx: Context) -> Inspector | None:
        """What puts back into answers what the guard replaced in the request; none by default."""
        return None

    async def judge(
        self, ctx: Context, rail: Rail[O], passages: Sequence[Passage], what: str
    ) -> Sequence[Sequence[Finding]]:
        """The findings of each passage of a `what` (`request`, `answer`, `tool call`). Asks the `inspector`."""
        inspector = self.inspector(ctx, rail)
        if sum(len(passage.text) for passage in passages) > THREAD_CHARS:
            return await asyncio.to_thread(_inspect_all, inspector, passages)
        return _inspect_all(inspector, passages)

    async def look_on(self, ctx: Context, rail: Rail[O], passages: Sequence[Passage], what: str, hook: str) -> None:
        """Look for a row that changes nothing, and note the findings. Judges at once; a guard that takes long should do
        it in the background, since the request waits."""
        if flat := _flat(await self.judge(ctx, rail, passages, what)):
            self._observed(ctx, hook, flat)

    def redactor(self, ctx: Context, rail: Rail[O]) -> Callable[[str], str] | None:
        """What masks the findings of a row that only looks on in the texts that sinks keep. Asks the `inspector`."""

        def redact(text: str) -> str:
            findings = self.inspector(ctx, rail).inspect(text, "input")
            shown = [
                each if each.replacement is not None else each._replace(replacement="[masked]") for each in findings
            ]
            return replaced(text, shown)

        return redact

    def watch(self, ctx: Context, rail: Rail[O], part: str) -> StreamFilter | AsyncStreamFilter:
        """A filter for one text of a stream. Asks the `inspector`."""
        inspector = self.inspector(ctx, rail)
        observing = Mode.POST not in rail.modes

        def judge(text: str, kind: str) -> str | Stop:
            findings = inspector.inspect(text, kind)
            if not findings:
                return text
            if observing:
                self._observed(ctx, "stream_filter", findings)
                return text
            if any(finding.replacement is None for finding in findings):
                return rail.stop(labels(findings))
            return replaced(text, findings)

        return _text_filter(judge, inspector, part)

    # The hooks

    @property
    def idle_hooks(self) -> frozenset[str]:
        """Hooks at which no row looks."""
        idle: set[str] = set()
        if not _looking(self.rails, _TO_REQUEST):
            idle.add("guard_request")
        if not _looking(self.rails, _BESIDE_CALL):
            idle.add("guard_during")
        if not _looking(self.rails, _TO_ANSWER):
            idle |= {"guard_response", "stream_filter", "stream_part_filter"}
        if not _looking(self.rails, _TO_TOOL):
            idle.add("guard_tool_call")
        if not _looking(self.rails, _TO_RESULT):
            idle |= {"guard_tool_result", "guard_tool_definition"}
        if not self.rails:
            idle |= {"apply_guard", "authorize_target"}
        return frozenset(idle)

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        """Remember the gateway: it knows which models name guardrails."""
        self._gateway = gateway

    @hookimpl
    async def guard_request(self, ctx: Context) -> Replace | Reject | None:
        """Look at the request before a model is chosen."""
        rails = self._chosen(ctx)
        applied = [rail.name for rail in rails if Mode.LOGGING not in rail.modes or len(rail.modes) > 1]
        if applied:
            before = ctx.answer_headers.get(APPLIED_HEADER)
            ctx.answer_headers[APPLIED_HEADER] = ",".join([before, *applied] if before else applied)
        for rail in rails:
            if Mode.LOGGING in rail.modes and (redact := self.redactor(ctx, rail)) is not None:
                ctx.redactors.append(redact)
        return await self._guard(ctx, "guard_request", _looking(rails, _TO_REQUEST), Mode.PRE, ctx.request.json())

    @hookimpl
    async def guard_during(self, ctx: Context) -> Reject | None:
        """Look at the request while the model is called."""
        rails = _looking(self._chosen(ctx), _BESIDE_CALL)
        verdict = await self._guard(ctx, "guard_during", rails, Mode.DURING, ctx.request.json(), may_change=False)
        return verdict if isinstance(verdict, Reject) else None

    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Keep a request away from a model that names a guardrail which did not look at it."""
        missing = (deployment.guardrails & {rail.name for rail in self.rails}) - {
            rail.name for rail in self._chosen(ctx)
        }
        if missing:
            return Reject(403, f"{deployment.group} asks for the guardrail {min(missing)!r}", type="permission_error")
        return None

    @hookimpl
    async def guard_response(self, ctx: Context, response: Mapping[str, Any]) -> Replace | Reject | None:
        """Look at a whole answer."""
        rails = _looking(self._chosen(ctx), _TO_ANSWER)
        verdict = await self._guard(ctx, "guard_response", rails, Mode.POST, response)
        if isinstance(verdict, Reject):
            return verdict
        return self._restored(ctx, verdict, response)

    @hookimpl
    def stream_filter(self, ctx: Context) -> StreamFilter | AsyncStreamFilter | None:
        """Look at the text of a stream."""
        return self._filter(ctx, "text")

    @hookimpl
    def stream_part_filter(self, ctx: Context, part: str) -> StreamFilter | AsyncStreamFilter | None:
        """Look at another part of a stream."""
        return self._filter(ctx, part)

    @hookimpl
    async def guard_tool_call(self, ctx: Context, call: ToolCall) -> Replace | Reject | None:
        """Look at the arguments of a tool call."""
        rails = _looking(self._chosen(ctx), _TO_TOOL)
        body = {"arguments": dict(call.arguments)}
        verdict = await self._guard(ctx, "guard_tool_call", rails, None, body, what="tool call")
        return Replace(verdict.body["arguments"], verdict.reason) if isinstance(verdict, Replace) else verdict

    @hookimpl
    async def guard_tool_result(self, ctx: Context, call: ToolCall, result: ToolResult) -> Replace | Reject | None:
        """Look at what a tool gave."""
        rails = _looking(self._chosen(ctx), _TO_RESULT)
        return await self._guard(ctx, "guard_tool_result", rails, None, result.content, what="tool result")

    @hookimpl
    async def guard_tool_definition(self, ctx: Context, definition: ToolDefinition) -> Replace | Reject | None:
        """Look at what a server says of a tool. All callers read the same, so only rows that are on by default look."""
        rails = _looking((rail for rail in self.rails if rail.options.default_on), _TO_RESULT)
        body = definition.definition
        return await self._guard(ctx, "guard_tool_definition", rails, None, body, what="tool definition")

    @hookimpl
    async def apply_guard(self, ctx: Context, name: str, text: str) -> str | Reject | None:
        """Look at a text outside any request."""
        rail = next((known for known in self.rails if known.name == name), None)
        if rail is None:
            return None
        (findings,) = await self.judge(ctx, rail, [Passage(text, ("text",), "user")], "request")
        if any(finding.replacement is None for finding in findings):
            return rail.reject("text", labels(findings))
        return replaced(text, findings)

    # How they do it

    def chosen(self, ctx: Context) -> tuple[Rail[O], ...]:
        """The rows that look at this request: those of every request, and those that it, its key, its team or its model
        names."""
        named = named_by(ctx) | self._of_model(ctx)
        spared = without_defaults(ctx)
        return tuple(rail for rail in self.rails if rail.name in named or (rail.options.default_on and not spared))

    def _chosen(self, ctx: Context) -> tuple[Rail[O], ...]:
        known = ctx.kept(self, _Chosen)
        if known is None:
            known = _Chosen(self.chosen(ctx))
            ctx.keep(self, known)
        return known.rails

    def _of_model(self, ctx: Context) -> frozenset[str]:
        """What the asked model names; for a name that stands for several models, what any model names."""
        if self._gateway is None or ctx.asked is None:
            return frozenset()
        groups = self._gateway.groups
        group = groups.get(ctx.asked.model)
        asked = [group] if group is not None else groups.values()
        return frozenset(name for each in asked for row in each.deployments for name in row.guardrails)

    async def _guard(
        self,
        ctx: Context,
        hook: str,
        rails: Sequence[Rail[O]],
        enforced: Mode | None,
        body: Mapping[str, Any],
        *,
        may_change: bool = True,
        what: str = "",
    ) -> Replace | Reject | None:
        """Ask the rows in their order; each sees what earlier ones made of the body."""
        read = _READERS.get(hook, read_request)
        what = what or ("answer" if hook == "guard_response" else "request")
        changed: list[Finding] = []
        for rail in rails:
            passages = read(body)
            if enforced is not None and enforced not in rail.modes:
                await self.look_on(ctx, rail, passages, what, hook)
                continue
            joined = Joined.of(passages) if hook == "guard_tool_result" else None
            found = await self.judge(ctx, rail, [*passages, joined.passage] if joined else passages, what)
            if joined is not None:
                *found, across = found
                over = [finding for finding in across if finding.replacement is None and joined.is_over(finding)]
                if over:
                    return rail.reject(what, labels(over))
            flat = _flat(found)
            if not flat:
                continue
            texts: list[tuple[Any, str]] = []
            for passage, findings in zip(passages, found, strict=True):
                if not findings:
                    continue
                if not may_change or passage.fixed or any(finding.replacement is None for finding in findings):
                    return rail.reject(what, labels(flat))
                texts.append((passage.path, replaced(passage.text, findings)))
            body = put(body, texts)
            changed += flat
        return Replace(body, labels(changed)) if changed else None

    def _restored(self, ctx: Context, verdict: Replace | None, response: Mapping[str, Any]) -> Replace | None:
        restorer = self.restorer(ctx)
        body = verdict.body if verdict is not None else response
        if restorer is None:
            return verdict
        passages = [passage for passage in read_answer(body) if not passage.fixed]
        found = _inspect_all(restorer, passages)
        texts = [
            (passage.path, replaced(passage.text, each)) for passage, each in zip(passages, found, strict=True) if each
        ]
        return Replace(put(body, texts), verdict.reason if verdict is not None else "restored") if texts else verdict

    def _filter(self, ctx: Context, part: str) -> StreamFilter | AsyncStreamFilter | None:
        rails = _looking(self._chosen(ctx), _TO_ANSWER)
        filters: list[StreamFilter | AsyncStreamFilter] = [self.watch(ctx, rail, part) for rail in rails]
        restorer = self.restorer(ctx)
        if restorer is not None:
            filters.append(_text_filter(_restoring(restorer), restorer, part))
        if len(filters) < 2:
            return filters[0] if filters else None
        return Chain(filters)

    def _observed(self, ctx: Context, hook: str, findings: Sequence[Finding]) -> None:
        if len(ctx.rulings) >= MOST_NOTED:
            return
        plugin = self._gateway.plugin if self._gateway is not None else type(self).__name__
        ctx.rulings.append(Ruling(hook, plugin, "observe", 0, labels(findings)))


def _looking(rails: Iterable[Rail[O]], modes: frozenset[Mode]) -> list[Rail[O]]:
    """Those that look in one of the modes."""
    return [rail for rail in rails if not modes.isdisjoint(rail.modes)]


def _flat(found: Sequence[Sequence[Finding]]) -> list[Finding]:
    return [finding for findings in found for finding in findings]


def _restoring(restorer: Inspector) -> _JudgePart:
    def judge(text: str, kind: str) -> str:
        return replaced(text, restorer.inspect(text, kind))

    return judge


def _text_filter(judge: _JudgePart, inspector: Inspector, part: str) -> StreamFilter:
    if part != "arguments":
        kind = "assistant" if part == "text" else part
        return Window(lambda text: judge(text, kind), inspector.settled)

    def whole(text: str) -> str | Stop:
        if json_of(text) is None:
            return judge(text, "arguments")
        body: Mapping[str, Any] = {"arguments": text}
        texts = []
        for passage in read_answer(body):
            answer = judge(passage.text, "arguments")
            if isinstance(answer, Stop):
                return answer
            if answer != passage.text:
                if passage.fixed:
                    return Stop("The name of a field in a tool call holds what a guardrail masks.", VIOLATION)
                texts.append((passage.path, answer))
        return str(put(body, texts)["arguments"]) if texts else text

    return WholeJson(whole)


def _inspect_all(inspector: Inspector, passages: Sequence[Passage]) -> list[Sequence[Finding]]:
    return [inspector.inspect(passage.text, passage.part) for passage in passages]
