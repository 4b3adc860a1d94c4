"""The plugin: its rows become the hooks of a guard that asks somebody else.

How services are asked lives in `contracts`, deadlines and breakers in `judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from routeiq_guard_external.config import Config, Options
from routeiq_guard_external.judging import Judge
from routeiq_guard_external.looks import Looks
from routeiq_guard_external.own_calls import is_own
from routeiq_guard_external.question import NoVerdict, Opinion, Question, Text, Verdict
from routeiq_guard_external.services import judge_of
from routeiq_guard_external.windows import AskingArguments, AskingWindow, Onlooker
from routeiq_sdk import Context, Deployment, Gateway, Reject, RequestError, Ruling, Stop, hookimpl
from routeiq_sdk.filters import AsyncStreamFilter, StreamFilter
from routeiq_sdk.guards import Finding, Mode, Passage, Rail, TextGuard, read_answer

_NOTHING: Sequence[Finding] = ()
_HOOKS = {
    "answer": "guard_response",
    "tool call": "guard_tool_call",
    "tool result": "guard_tool_result",
    "tool definition": "guard_tool_definition",
}


class GuardExternal(TextGuard[Config, Options]):
    """Guards elsewhere, for RouteIQ: moderation models, HTTP guards, and models that judge."""

    Config = Config

    _judges: Mapping[int, Judge]
    _looks: Looks

    @property
    def origins(self) -> Iterable[str]:
        """The services of the rows."""
        return [rail.options.base for rail in self.rails if rail.options.base is not None]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        """Make who judges for each row. Nobody is asked yet."""
        await super().setup(gateway)
        self._looks = Looks(gateway)
        self._judges = {id(rail): judge_of(rail.options, gateway) for rail in self.rails}

    # Which requests

    def chosen(self, ctx: Context) -> tuple[Rail[Options], ...]:
        """The rows of a request; none for the guard's own calls, whose texts are being judged by them."""
        return () if is_own(ctx) else super().chosen(ctx)

    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """A judging model may name guardrails of its own: the guard's calls reach it all the same."""
        return None if is_own(ctx) else super().authorize_target(ctx, deployment)

    # Whole texts

    async def judge(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str
    ) -> Sequence[Sequence[Finding]]:
        """Ask for all passages at once. Raises `RequestError` (503) without a verdict where the row fails closed."""
        texts = [Text(passage.text, passage.part) for passage in passages]
        side: Literal["request", "response"] = "response" if what == "answer" else "request"
        verdict = await self._verdict(ctx, rail, texts, side, what, _hook(ctx, what))
        return [
            _NOTHING if opinion is None else [_finding(rail, each.text, opinion)]
            for each, opinion in zip(texts, verdict, strict=True)
        ]

    async def look_on(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str, hook: str
    ) -> None:
        """Ask in the background: the request does not wait."""
        texts = [Text(passage.text, passage.part) for passage in passages]
        self._look(ctx, rail, texts, "response" if what == "answer" else "request", hook)

    def redactor(self, ctx: Context, rail: Rail[Options]) -> Callable[[str], str] | None:
        """None: nobody can be asked while a record is written."""
        return None

    # Streams

    def watch(self, ctx: Context, rail: Rail[Options], part: str) -> StreamFilter | AsyncStreamFilter:
        """A filter that asks once a window, or only looks on."""
        hook = "stream_filter" if part == "text" else "stream_part_filter"
        kind = "assistant" if part == "text" else part
        if Mode.POST not in rail.modes:
            return Onlooker(lambda text: self._look(ctx, rail, _texts(text, kind), "response", hook))

        async def judge_window(before: str, window: str) -> str | Stop:
            asked = Text(before + window, kind, len(before))
            (opinion,) = await self._verdict(ctx, rail, [asked], "response", "answer", hook)
            if opinion is None:
                return window
            if opinion.text is None or not opinion.text.startswith(before):
                return rail.stop(_label(rail, opinion))  # what it would change was let out before
            return opinion.text[len(before) :]

        async def judge_passages(passages: Sequence[Passage]) -> Sequence[str] | Stop:
            texts = [Text(passage.text, passage.part) for passage in passages]
            verdict = await self._verdict(ctx, rail, texts, "response", "answer", hook)
            out = []
            for passage, opinion in zip(passages, verdict, strict=True):
                if opinion is not None and (opinion.text is None or passage.fixed):
                    return rail.stop(_label(rail, opinion))
                out.append(passage.text if opinion is None or opinion.text is None else opinion.text)
            return out

        if part == "arguments":
            return AskingArguments(judge_passages)
        return AskingWindow(judge_window, rail.options.stream_window, rail.options.stream_overlap)

    # How they do it

    async def _verdict(
        self,
        ctx: Context,
        rail: Rail[Options],
        texts: Sequence[Text],
        side: Literal["request", "response"],
        what: str,
        hook: str,
    ) -> Verdict:
        if not texts:
            return []
        try:
            verdict = await self._judges[id(rail)].ask(self._question(ctx, rail, texts, side))
        except NoVerdict as failure:
            if _fails_open(rail.options, failure):
                self._noted(ctx, hook, "observe", 0, failure.kind)
                return [None] * len(texts)
            self._noted(ctx, hook, "fail", 503, failure.kind)
            raise RequestError(
                503,
                f"The {what} was refused because the guardrail {rail.name!r} could not judge it: {failure}.",
                type="internal_server_error",
                headers={"retry-after": "1"},
            ) from None
        if rail.options.on_flagged == "monitor" and any(opinion is not None for opinion in verdict):
            self._noted(ctx, hook, "observe", 0, _kinds(verdict))
            return [None] * len(texts)
        return verdict

    def _look(
        self,
        ctx: Context,
        rail: Rail[Options],
        texts: Sequence[Text],
        side: Literal["request", "response"],
        hook: str,
    ) -> None:
        if not texts:
            return
        judge, question = self._judges[id(rail)], self._question(ctx, rail, texts, side)

        async def look() -> str:
            try:
                return _kinds(await judge.ask(question))
            except NoVerdict as failure:
                return failure.kind

        self._looks.begin(ctx, hook, look)

    def _question(
        self, ctx: Context, rail: Rail[Options], texts: Sequence[Text], side: Literal["request", "response"]
    ) -> Question:
        return Question(ctx, side, texts, _identity(ctx) if rail.options.send_identity else {})

    def _noted(self, ctx: Context, hook: str, action: str, status: int, reason: str) -> None:
        plugin = self._gateway.plugin if self._gateway is not None else "guard-external"
        ctx.rulings.append(Ruling(hook, plugin, action, status, reason))


def _fails_open(options: Options, failure: NoVerdict) -> bool:
    if failure.kind == "unreachable":
        return options.unreachable_fallback == "fail_open"
    return not options.fail_on_error


def _hook(ctx: Context, what: str) -> str:
    """The hook that looks at a whole text, for the record."""
    if what in _HOOKS:
        return _HOOKS[what]
    return "guard_during" if ctx.stage == "attempt" else "guard_request"


def _finding(rail: Rail[Options], text: str, opinion: Opinion) -> Finding:
    return Finding(0, len(text), _label(rail, opinion), opinion.text)


def _label(rail: Rail[Options], opinion: Opinion) -> str:
    shown = rail.options.show_reason and opinion.reason
    return f"{opinion.kind} ({opinion.reason})" if shown else opinion.kind


def _kinds(verdict: Verdict) -> str:
    return ", ".join(sorted({opinion.kind for opinion in verdict if opinion is not None}))


def _texts(text: str, kind: str) -> Sequence[Text]:
    if kind != "arguments":
        return [Text(text, kind)]
    return [Text(passage.text, passage.part) for passage in read_answer({"arguments": text})]


def _identity(ctx: Context) -> Mapping[str, str]:
    caller = ctx.identified
    told: dict[str, Any] = {"end_user": ctx.end_user}
    if caller is not None:
        told |= {
            "key": caller.id,
            "alias": caller.alias,
            "user": caller.user,
            "team": caller.team,
            "organization": caller.organization,
        }
    return {name: str(value) for name, value in told.items() if value}
