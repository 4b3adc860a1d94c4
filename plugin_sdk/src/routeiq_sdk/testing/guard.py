"""The contract of guards: of requests, of running streams, of whole answers.

How well a guard detects is measured by evaluation, not here.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import pytest

from routeiq_sdk.context import Context
from routeiq_sdk.plugin import Need, Plugin
from routeiq_sdk.testing.fakes import FakeGateway, FakeRequest, make_context
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running
from routeiq_sdk.values.verdict import Reject, Replace, Stop

REQUEST_HOOKS = ("guard_request", "guard_during")


class BrokenRequest(FakeRequest):
    """A request that cannot be read."""

    def json(self) -> NoReturn:
        """Fail."""
        raise RuntimeError("the request cannot be read")

    def text(self) -> NoReturn:
        """Fail."""
        raise RuntimeError("the request cannot be read")

    def last_user_text(self) -> NoReturn:
        """Fail."""
        raise RuntimeError("the request cannot be read")

    def param(self, name: str, default: Any = None) -> NoReturn:
        """Fail."""
        raise RuntimeError("the request cannot be read")


class GuardContract(PluginContract):
    """What a guard promises: one verdict however a stream is cut, allowed text exactly once and in order, and no
    passing when it breaks.

    Tests of hooks that the guard does not implement are skipped.
    """

    group: ClassVar[str] = "routeiq.guards"
    allowed: ClassVar[Sequence[str]]
    """Texts that pass unchanged."""
    refused: ClassVar[Sequence[str]]
    """Texts that are refused, wherever the guard looks."""
    rewritten: ClassVar[Mapping[str, str]] = {}
    """Texts of streams that pass changed, with what comes out."""

    def make_request_context(self, text: str) -> Context:
        """The context of a request whose user says `text`."""
        return make_context(text)

    def make_response(self, text: str) -> Mapping[str, Any]:
        """A whole answer that says `text`, on the OpenAI wire."""
        message = {"role": "assistant", "content": text}
        return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def test_it_guards_something(self) -> None:
        assert self.hooks() & {*REQUEST_HOOKS, "stream_filter", "guard_response"}, "it implements no guard hook"

    def test_it_declares_what_it_reads(self) -> None:
        needs = {
            "guard_request": Need.READS_BODY,
            "guard_during": Need.READS_BODY,
            "stream_filter": Need.READS_STREAM_TEXT,
            "guard_response": Need.READS_RESPONSE,
        }
        missing = {needs[hook] for hook in self.hooks() & needs.keys()} - self.plugin.needs
        assert not missing, f"add {', '.join(f'Need.{need.name}' for need in sorted(missing))} to needs"

    @pytest.mark.parametrize("hook", REQUEST_HOOKS)
    def test_requests_it_allows_pass(self, hook: str) -> None:
        self.need_hook(hook)
        for text in self.allowed:
            verdict = self._ask(hook, self.make_request_context(text))
            assert not isinstance(verdict, Reject), f"{text!r} was refused: {verdict}"

    @pytest.mark.parametrize("hook", REQUEST_HOOKS)
    def test_requests_it_refuses_do_not_pass(self, hook: str) -> None:
        self.need_hook(hook)
        for text in self.refused:
            verdict = self._ask(hook, self.make_request_context(text))
            assert isinstance(verdict, Reject), f"{text!r} got {verdict}"
            assert 400 <= verdict.status <= 599, f"{verdict.status} is not an HTTP error"
            assert text not in verdict.message, "the refusal repeats what it refuses"

    @pytest.mark.parametrize("hook", REQUEST_HOOKS)
    def test_a_request_it_cannot_read_does_not_pass(self, hook: str) -> None:
        self.need_hook(hook)
        for text in self.refused:
            request = BrokenRequest(self.make_request_context(text).request.json())
            self._must_not_pass(hook, self.make_gateway(), make_context(request=request))

    @pytest.mark.parametrize("hook", REQUEST_HOOKS)
    def test_nothing_refused_passes_while_the_outside_is_down(self, hook: str) -> None:
        self.need_hook(hook)
        for text in self.refused:
            gateway = self.make_gateway()
            gateway.egress.fail()
            gateway.answers.clear()
            self._must_not_pass(hook, gateway, self.make_request_context(text))

    def test_answers_it_allows_pass(self) -> None:
        self.need_hook("guard_response")
        for text in self.allowed:
            verdict = self._ask("guard_response", self.make_request_context("Hello."), self.make_response(text))
            assert verdict is None, f"{text!r} got {verdict}"

    def test_answers_it_refuses_do_not_pass(self) -> None:
        self.need_hook("guard_response")
        for text in self.refused:
            verdict = self._ask("guard_response", self.make_request_context("Hello."), self.make_response(text))
            assert isinstance(verdict, (Reject, Replace)), f"{text!r} got {verdict}"
            assert not isinstance(verdict, Replace) or text not in str(verdict.body), "the replacement repeats it"

    def test_allowed_text_comes_out_exactly_once_however_it_is_cut(self) -> None:
        self.need_hook("stream_filter")
        for text in self.allowed:
            self._expect(text, text)

    def test_rewritten_text_is_the_same_however_it_is_cut(self) -> None:
        self.need_hook("stream_filter")
        for text, expected in self.rewritten.items():
            self._expect(text, expected)

    def test_refused_text_is_stopped_however_it_is_cut(self) -> None:
        self.need_hook("stream_filter")
        for text in self.refused:
            for pieces, (out, stop) in self._filtered(text):
                assert stop is not None, f"it passed when cut as {pieces}"
                assert text not in out, f"it was let out before the stop, when cut as {pieces}"

    def test_streams_do_not_share_a_filter(self) -> None:
        self.need_hook("stream_filter")

        async def two() -> tuple[object, object]:
            async with running(self.make(), self.make_gateway()) as plugin:
                contexts = [self.make_request_context("Hello.") for _ in range(2)]
                first, second = [await call_hook(plugin, "stream_filter", ctx) for ctx in contexts]
                return first, second

        first, second = asyncio.run(two())
        assert first is None or first is not second, "two streams got one filter object"

    def _ask(self, hook: str, *arguments: Any) -> Any:
        return asyncio.run(self._asked(hook, self.make_gateway(), *arguments))

    async def _asked(self, hook: str, gateway: FakeGateway, *arguments: Any) -> Any:
        async with running(self.make(), gateway) as plugin:
            return await call_hook(plugin, hook, *arguments)

    def _must_not_pass(self, hook: str, gateway: FakeGateway, ctx: Context) -> None:
        try:
            verdict = asyncio.run(self._asked(hook, gateway, ctx))
        except Exception:
            return  # the core refuses the request of a guard that fails
        assert isinstance(verdict, Reject), f"it could not look, and let pass: {verdict}"

    def _expect(self, text: str, expected: str) -> None:
        for pieces, (out, stop) in self._filtered(text):
            assert stop is None, f"{text!r} was stopped when cut as {pieces}: {stop}"
            assert out == expected, f"cut as {pieces}"

    def _filtered(self, text: str) -> list[tuple[list[str], tuple[str, Stop | None]]]:
        """What comes out, and the stop if any, for every way of cutting `text` that is tried."""

        async def run() -> list[tuple[list[str], tuple[str, Stop | None]]]:
            async with running(self.make(), self.make_gateway()) as plugin:
                return [(pieces, await self._stream(plugin, pieces)) for pieces in cuts(text)]

        return asyncio.run(run())

    async def _stream(self, plugin: Plugin[Any], pieces: list[str]) -> tuple[str, Stop | None]:
        stream = await call_hook(plugin, "stream_filter", self.make_request_context("Hello."))
        if stream is None:
            return "".join(pieces), None
        out = ""
        for step in [*(lambda piece=piece: stream.feed(piece) for piece in pieces), stream.end]:
            result = step()
            if inspect.isawaitable(result):
                result = await result
            if isinstance(result, Stop):
                return out, result
            out += "".join(result)
        return out, None


def cuts(text: str) -> Iterator[list[str]]:
    """Ways to cut a text: whole, by character, in two at every place (of 200 at most), at random, with empty pieces."""
    yield [text]
    yield list(text)
    for place in range(0, len(text) + 1, max(1, len(text) // 200)):
        yield [text[:place], text[place:]]
    dice = random.Random(11)  # noqa: S311
    for _ in range(20):
        places = sorted(dice.randrange(len(text) + 1) for _ in range(dice.randint(1, 8)))
        yield [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
