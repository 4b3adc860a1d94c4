"""The plugin: its rows become the hooks of a guard.

What they look for is in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_guard_content import config as settings
from routeiq_guard_content.config import CALLBACK, Options
from routeiq_guard_content.rules import Rules
from routeiq_guard_content.streams import Limited, LookingOn, Valid, Watching
from routeiq_sdk import AsyncStreamFilter, Context, RequestError, Stop, StreamFilter
from routeiq_sdk.guards import Chain, Finding, Inspector, Mode, Passage, Rail, TextGuard
from routeiq_sdk.guards.rails import VIOLATION

_SPOKEN = ("assistant", "reasoning", "refusal")
_TEXT_KEYS = ("content", "text", "transcript")
"""Where the text of an answer stands, on every wire."""
_CALLBACK_ROW = {"guardrail": CALLBACK, "mode": ("pre_call", "post_call"), "default_on": True}


class GuardContent(TextGuard[settings.Config, Options]):
    """Content rules for RouteIQ: words, patterns in linear time, topics, JSON schemas, sizes."""

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        super().__init__(config)
        if config.callbacks:
            self.rails += (Rail(CALLBACK, Options.model_validate(_CALLBACK_ROW)),)
        self._rules: Mapping[int, Rules] = {id(rail): _rules(rail, config) for rail in self.rails}

    def inspector(self, ctx: Context, rail: Rail[Options]) -> Inspector:
        return self._rules[id(rail)]

    async def judge(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str
    ) -> Sequence[Sequence[Finding]]:
        """Sizes come first, since what is too large need not be searched."""
        beside = self._beside(ctx, rail, passages, what)
        if beside and not passages:  # what is too much holds no text to point at
            raise RequestError(400, rail.refusal(what, ", ".join(beside)), type=VIOLATION, code=VIOLATION)
        if beside:
            return [[Finding(0, len(passages[0].text), fault) for fault in beside], *([] for _ in passages[1:])]
        return await super().judge(ctx, rail, passages, what)

    async def look_on(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str, hook: str
    ) -> None:
        """A row that only looks on refuses nothing, also where there is no text to point at."""
        if passages:
            await super().look_on(ctx, rail, passages, what, hook)
        elif beside := self._beside(ctx, rail, passages, what):
            self._observed(ctx, hook, [Finding(0, 0, fault) for fault in beside])

    def _beside(self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str) -> list[str]:
        """What is wrong beside what stands in the texts."""
        rules = self._rules[id(rail)]
        if what == "request":
            return _request_faults(rules, ctx.request.json(), passages)
        return _answer_faults(rules, passages) if what == "answer" else []

    def watch(self, ctx: Context, rail: Rail[Options], part: str) -> StreamFilter | AsyncStreamFilter:
        """Filters of its own: each text is judged as it grows, with all that came before."""
        if part == "arguments":
            return super().watch(ctx, rail, part)
        rules = self._rules[id(rail)]
        observing = Mode.POST not in rail.modes

        def found(fault: str) -> Stop | None:
            if observing:
                self._observed(ctx, "stream_filter", [Finding(0, 0, fault)])
                return None
            return rail.stop(fault)

        filters: list[StreamFilter] = []
        if rules.max_answer_chars is not None:
            filters.append(
                Limited(rules.max_answer_chars, lambda: found(_more_than(rules.max_answer_chars, "characters")))
            )
        if rules.schema is not None and part == "text":
            filters.append(Valid(rules.schema, found, hold=not observing))
        if rules.lookers:
            filters.append(LookingOn(rules.lookers, found) if observing else Watching(rules.lookers, rail.stop))
        return filters[0] if len(filters) == 1 else Chain(filters)


def _rules(rail: Rail[Options], config: settings.Config) -> Rules:
    made = rail.options.rules
    if rail.options.guardrail != CALLBACK:
        return made
    return Rules(rail.options, made.words, made.languages, config.banned_keywords_list)


def _request_faults(rules: Rules, body: Mapping[str, Any], passages: Sequence[Passage]) -> list[str]:
    faults: list[str] = []
    if rules.max_request_chars is not None and sum(len(each.text) for each in passages) > rules.max_request_chars:
        faults.append(_more_than(rules.max_request_chars, "characters"))
    if rules.max_messages is not None and _count(body, "messages") > rules.max_messages:
        faults.append(_more_than(rules.max_messages, "messages"))
    if rules.max_tools is not None and _count(body, "tools") + _count(body, "functions") > rules.max_tools:
        faults.append(_more_than(rules.max_tools, "tools"))
    return faults


def _answer_faults(rules: Rules, passages: Sequence[Passage]) -> list[str]:
    faults: list[str] = []
    for passage in passages:
        if passage.part not in _SPOKEN:
            continue
        if rules.max_answer_chars is not None and len(passage.text) > rules.max_answer_chars:
            faults.append(_more_than(rules.max_answer_chars, "characters"))
        if rules.schema is not None and passage.part == "assistant" and passage.path[-1] in _TEXT_KEYS:
            problem = rules.schema.problem(passage.text)
            if problem is not None:
                faults.append(problem)
    return faults


def _more_than(most: int | None, what: str) -> str:
    return f"more than {most} {what}"


def _count(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    return len(value) if isinstance(value, list) else 0
