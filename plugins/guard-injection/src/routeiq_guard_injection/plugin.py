"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_guard_injection import canary
from routeiq_guard_injection.config import CALLBACK, Options
from routeiq_guard_injection.config import Config as Rows
from routeiq_guard_injection.inspector import Answered, Asked, Both
from routeiq_guard_injection.model import shipped
from routeiq_guard_injection.scan import Scanner
from routeiq_sdk import Context, Gateway, Reject, Replace, hookimpl
from routeiq_sdk.guards import Finding, Passage, Rail, TextGuard

THREAD_CHARS = 8 * 1024
"""Requests with longer texts than this are looked at in a thread, so that others go on."""
_DOCUMENTS = frozenset({"document", "search_result"})
_READ_BY_MODELS = frozenset({"tool result", "tool definition"})


class GuardInjection(TextGuard[Rows, Options]):
    """Prompt injection, for RouteIQ: heuristics, a small classifier, canary tokens, tool results."""

    Config = Rows

    def __init__(self, config: Rows) -> None:
        super().__init__(config)
        of_callback = config.of_callback()
        if of_callback is not None:
            self.rails = (*self.rails, Rail(CALLBACK, of_callback))
        self._scanners: dict[tuple[bool, bool], Scanner] = {}
        self._tokens = object()
        """Whose note the token of a request is."""

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        """Read the classifier's weights, once, if a row asks for them."""
        await super().setup(gateway)
        model = shipped() if any(rail.options.classifier for rail in self.rails) else None
        for options in (rail.options for rail in self.rails):
            self._scanners[options.heuristics, options.classifier] = Scanner(
                phrases=options.heuristics, model=model if options.classifier else None
            )

    @hookimpl
    async def guard_request(self, ctx: Context) -> Replace | Reject | None:
        """Look at the request, then put the token into its system prompt."""
        verdict = await super().guard_request(ctx)
        if isinstance(verdict, Reject) or not any(rail.options.canary for rail in self.chosen(ctx)):
            return verdict
        token = canary.new_token()
        body = canary.planted(verdict.body if verdict is not None else ctx.request.json(), token)
        if body is None:
            return verdict
        ctx.keep(self._tokens, token)
        return Replace(body, "canary")

    def inspector(self, ctx: Context, rail: Rail[Options]) -> Both:
        """What looks at the texts of this request and of its answer."""
        options = rail.options
        asked = Asked(self._scanners[options.heuristics, options.classifier], options.judged())
        token = ctx.kept(self._tokens, str) if options.canary else None
        return Both(asked, Answered(token, None if options.links == "off" else options.links, options.trusted_hosts))

    async def judge(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str
    ) -> Sequence[Sequence[Finding]]:
        """The findings of each passage. The arguments of a tool call are a model's words, as answers are, and go to
        somebody who reads them; what a tool gave and what its server says of it are read by a model, as requests are.
        """
        both = self.inspector(ctx, rail)
        sides: Sequence[Asked | Answered] = (both.answered,)
        if what == "tool call":
            sides = (both.answered, both.asked)
        elif what in _READ_BY_MODELS:
            sides = (both.asked,)
        elif what == "request":
            sides = (both.asked,)
            body = ctx.asked.json() if ctx.asked is not None else {}
            passages = [_as_document(passage, body) for passage in passages]
        if sum(len(passage.text) for passage in passages) > THREAD_CHARS:
            return await asyncio.to_thread(_inspect_all, sides, passages)
        return _inspect_all(sides, passages)


def _inspect_all(sides: Sequence[Asked | Answered], passages: Sequence[Passage]) -> list[Sequence[Finding]]:
    return [[each for side in sides for each in side.inspect(passage.text, passage.part)] for passage in passages]


def _as_document(passage: Passage, body: Mapping[str, Any]) -> Passage:
    """The passage, told apart if it is what a document says."""
    if passage.part not in ("user", "input"):
        return passage
    value: Any = body
    for step in passage.path:
        if isinstance(value, Mapping) and (value.get("type") in _DOCUMENTS or step == "documents"):
            return Passage(passage.text, passage.path, "document")
        try:
            value = value[step]
        except (LookupError, TypeError):
            break
    return passage
