"""The plugin: its rows become the hooks of a guard, and a request's book of placeholders lives and dies with it.

Recognisers, actions and options live beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from routeiq_guard_pii.book import Book
from routeiq_guard_pii.builtin import Builtin
from routeiq_guard_pii.config import Action, Config, Options
from routeiq_guard_pii.found import Recogniser
from routeiq_guard_pii.inspector import Inspector
from routeiq_sdk import Context, Gateway, hookimpl
from routeiq_sdk.filters import AsyncStreamFilter, StreamFilter
from routeiq_sdk.guards import Finding, Passage, Rail, TextGuard
from routeiq_sdk.guards import Inspector as AnyInspector

_ANSWERS = frozenset({"guard_response", "stream_filter", "stream_part_filter"})


class GuardPii(TextGuard[Config, Options]):
    """Personal data in prompts and answers, for RouteIQ: masked, hashed, refused, or put back into the answer."""

    Config = Config

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        """Make the recognisers; load Presidio where a row asks for it."""
        await super().setup(gateway)
        self._books = object()
        self._looks: dict[str, tuple[Recogniser, Mapping[str, Action]]] = {}
        for rail in self.rails:
            if rail.options.engine == "builtin":
                actions = rail.options.actions
                self._looks[rail.name] = (Builtin(frozenset(actions)), actions)
        if any(rail.options.engine == "presidio" for rail in self.rails):
            await self._load_presidio()

    async def _load_presidio(self) -> None:
        from routeiq_guard_pii.presidio import Presidio

        loaded = await asyncio.to_thread(Presidio)
        for rail in self.rails:
            if rail.options.engine == "presidio":
                actions = rail.options.actions_among(loaded.known)
                self._looks[rail.name] = (loaded.asked(frozenset(actions)), actions)

    @property
    def idle_hooks(self) -> frozenset[str]:
        """Rows that put values back need the answer, though they do not look at it."""
        reversible = any(rail.options.reversible for rail in self.rails)
        return super().idle_hooks - _ANSWERS if reversible else super().idle_hooks

    def inspector(self, ctx: Context, rail: Rail[Options]) -> AnyInspector:
        """The row's recognisers and actions, with the request's book."""
        recogniser, actions = self._looks[rail.name]
        return Inspector(recogniser, actions, rail.options, self._book(ctx))

    def restorer(self, ctx: Context) -> AnyInspector | None:
        """The request's book, if anything stands in it."""
        book = ctx.kept(self._books, Book)
        if book is None or not book:
            return None
        book.open = False
        return book

    async def judge(
        self, ctx: Context, rail: Rail[Options], passages: Sequence[Passage], what: str
    ) -> Sequence[Sequence[Finding]]:
        """Placeholders that a request brings along are given to no value; answers get no new ones."""
        book = self._book(ctx)
        if what == "request":
            book.avoid(passage.text for passage in passages)
        else:
            book.open = False
        if rail.options.engine == "presidio":
            inspector = self.inspector(ctx, rail)
            return await asyncio.to_thread(
                lambda: [inspector.inspect(passage.text, passage.part) for passage in passages]
            )
        return await super().judge(ctx, rail, passages, what)

    def watch(self, ctx: Context, rail: Rail[Options], part: str) -> StreamFilter | AsyncStreamFilter:
        """A stream is an answer."""
        self._book(ctx).open = False
        return super().watch(ctx, rail, part)

    def _book(self, ctx: Context) -> Book:
        book = ctx.kept(self._books, Book)
        if book is None:
            book = Book()
            ctx.keep(self._books, book)
        return book
