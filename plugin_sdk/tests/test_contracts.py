"""The contract tests find what they are for: each broken plugin fails the test that names its fault."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from routeiq_sdk import (
    Candidate,
    Context,
    Decision,
    Event,
    Gateway,
    ModelGroup,
    Need,
    Plugin,
    PluginConfig,
    Principal,
    Record,
    Reject,
    Stop,
    hookimpl,
)
from routeiq_sdk.testing import AuthContract, GuardContract, PluginContract, SinkContract, StrategyContract

Contract = PluginContract
SECRET = "open-sesame"


def fails(contract: type[Contract], test: str, plugin: type[Plugin[Any]], *arguments: Any, **attributes: Any) -> None:
    """Assert that `test` of `contract` fails for `plugin`."""
    case = type("Case", (contract,), {"plugin": plugin, "name": "broken", **attributes})()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(case, test)(*arguments)


class Hooked(Plugin[PluginConfig]):
    @hookimpl
    async def admit(self, ctx: Context) -> None: ...


# Every plugin


class OpensAFile(Hooked):
    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        Path("/dev/null").read_text()


class StartsAThread(Hooked):
    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()


class Inner(BaseModel):
    undescribed: int = 1


class LooseConfig(PluginConfig):
    model_config = ConfigDict(extra="ignore", frozen=False)
    inner: Inner = Field(Inner(), description="A described field with an undescribed one inside.")


class Loose(Plugin[LooseConfig]):
    @hookimpl
    async def admit(self, ctx: Context) -> None: ...


class NeedsSetup(Plugin[PluginConfig]):
    gateway: Gateway

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @hookimpl
    async def teardown(self) -> None:
        self.gateway.clock.now_ns()


class NoHooks(Plugin[PluginConfig]):
    """Forgot everything."""


@pytest.mark.parametrize(
    ("plugin", "test"),
    [
        (OpensAFile, "test_its_construction_is_pure"),
        (StartsAThread, "test_its_construction_is_pure"),
        (Loose, "test_unknown_configuration_keys_are_refused"),
        (Loose, "test_its_configuration_cannot_change"),
        (Loose, "test_every_configuration_field_is_described"),
        (NoHooks, "test_it_implements_hooks_and_in_their_shape"),
        (Hooked, "test_it_is_discovered_by_its_entry_point"),
        (type("Old", (Hooked,), {"api_version": 0}), "test_its_api_version_is_this_ones"),
    ],
)
def test_a_broken_plugin_is_found(plugin: type[Plugin[Any]], test: str) -> None:
    fails(PluginContract, test, plugin)


def test_a_teardown_that_needs_a_set_up_is_found() -> None:
    class Case(PluginContract):
        plugin = NeedsSetup
        name = "broken"

    with pytest.raises(AttributeError):
        Case().test_teardown_works_without_set_up()


# Strategies


def strategy(decide: Callable[[Sequence[ModelGroup]], Decision]) -> type[Plugin[Any]]:
    class Strategy(Plugin[PluginConfig]):
        needs = frozenset({Need.READS_BODY})

        @hookimpl
        async def select_model(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
            return decide(groups)

    return Strategy


def ranked(names: Sequence[str], scores: Sequence[float] | None = None, **fields: Any) -> Decision:
    scores = scores or [-float(place) for place in range(len(names))]
    candidates = tuple(Candidate(name, score) for name, score in zip(names, scores, strict=False))
    return Decision("broken", candidates, **fields)


dice = random.Random(5)


@pytest.mark.parametrize(
    ("decide", "test"),
    [
        (lambda groups: ranked([g.name for g in groups], [float("nan")] * 3), "test_its_ranking_is_a_total_order"),
        (lambda groups: ranked([g.name for g in groups], [1.0, 2.0, 3.0]), "test_its_ranking_is_a_total_order"),
        (lambda groups: ranked([groups[0].name] * 2), "test_its_ranking_is_a_total_order"),
        (lambda groups: ranked([]), "test_its_ranking_is_a_total_order"),
        (lambda groups: ranked(["small"]), "test_it_never_names_a_model_that_is_no_candidate"),
        (
            lambda groups: ranked([groups[dice.randrange(len(groups))].name]),
            "test_it_decides_the_same_under_the_same_seed",
        ),
        (lambda groups: ranked([groups[0].name], propensity=0.0), "test_its_propensity_is_a_probability"),
        (lambda groups: ranked([groups[0].name], propensity=1.1), "test_its_propensity_is_a_probability"),
        (
            lambda groups: ranked([groups[dice.randrange(len(groups))].name]),
            "test_it_does_not_claim_certainty_when_it_draws_lots",
        ),
        (
            lambda groups: Decision("broken", (Candidate(groups[0].name, 1.0, quality=1.5),)),
            "test_its_qualities_and_costs_are_possible",
        ),
        (lambda groups: None, "test_it_decides"),
    ],
)
def test_a_broken_strategy_is_found(decide: Callable[[Sequence[ModelGroup]], Decision], test: str) -> None:
    fails(StrategyContract, test, strategy(decide))


# Guards


class Filter:
    """Forwards each piece and looks at it alone."""

    def feed(self, delta: str) -> list[str] | Stop:
        return Stop("found") if SECRET in delta else [delta]

    def end(self) -> list[str] | Stop:
        return []


class Forgetful(Filter):
    """Holds a tail back and never lets it go."""

    def feed(self, delta: str) -> list[str] | Stop:
        return [delta[:-1]]


class Repeats(Filter):
    def feed(self, delta: str) -> list[str] | Stop:
        return [delta, delta]


class LateStop(Filter):
    """Stops once everything is out."""

    def __init__(self) -> None:
        self.seen = ""

    def feed(self, delta: str) -> list[str] | Stop:
        self.seen += delta
        return [delta]

    def end(self) -> list[str] | Stop:
        return Stop("found") if SECRET in self.seen else []


def guard(make: Callable[[], Any], *, shared: bool = False) -> type[Plugin[Any]]:
    only = make()

    class Guard(Plugin[PluginConfig]):
        needs = frozenset({Need.READS_STREAM_TEXT})

        @hookimpl
        def stream_filter(self, ctx: Context) -> Any:
            return only if shared else make()

    return Guard


class Lenient(Plugin[PluginConfig]):
    """Lets pass whatever it cannot look at."""

    needs = frozenset({Need.READS_BODY})

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @hookimpl
    async def guard_request(self, ctx: Context) -> Reject | None:
        try:
            async with self.gateway.egress.call("POST", "https://guard.example"):
                return Reject(400, "no") if SECRET in ctx.request.text() else None
        except Exception:
            return None


class Repeating(Lenient):
    @hookimpl
    async def guard_request(self, ctx: Context) -> Reject | None:
        return Reject(400, f"it says {ctx.request.text()}")


class Undeclared(Lenient):
    needs = frozenset()


TEXTS: Mapping[str, Any] = {"allowed": ("a plain text",), "refused": (f"well: {SECRET}!",)}


@pytest.mark.parametrize(
    ("plugin", "test", "arguments"),
    [
        (guard(Filter), "test_refused_text_is_stopped_however_it_is_cut", ()),
        (guard(LateStop), "test_refused_text_is_stopped_however_it_is_cut", ()),
        (guard(Forgetful), "test_allowed_text_comes_out_exactly_once_however_it_is_cut", ()),
        (guard(Repeats), "test_allowed_text_comes_out_exactly_once_however_it_is_cut", ()),
        (guard(Filter, shared=True), "test_streams_do_not_share_a_filter", ()),
        (Lenient, "test_a_request_it_cannot_read_does_not_pass", ("guard_request",)),
        (Lenient, "test_nothing_refused_passes_while_the_outside_is_down", ("guard_request",)),
        (Repeating, "test_requests_it_allows_pass", ("guard_request",)),
        (Repeating, "test_requests_it_refuses_do_not_pass", ("guard_request",)),
        (Undeclared, "test_it_declares_what_it_reads", ()),
        (Hooked, "test_it_guards_something", ()),
    ],
)
def test_a_broken_guard_is_found(plugin: type[Plugin[Any]], test: str, arguments: tuple[str, ...]) -> None:
    fails(GuardContract, test, plugin, *arguments, **TEXTS)


def test_rewritten_text_that_depends_on_the_cuts_is_found() -> None:
    class Upper(Filter):
        def feed(self, delta: str) -> list[str]:
            return [delta.capitalize()]

    test = "test_rewritten_text_is_the_same_however_it_is_cut"
    fails(GuardContract, test, guard(Upper), **TEXTS, rewritten={"abc": "Abc"})


# Sinks


class Hoards(Plugin[PluginConfig]):
    """Keeps every record, and loses all of them at teardown."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.kept: list[Record] = []

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        self.kept.append(record)


class Blocks(Hoards):
    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        threading.Event().wait(0.06)


class Chokes(Plugin[PluginConfig]):
    """Takes no event twice."""

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        seen = self.__dict__.setdefault("seen", set())
        keys = {event.payload["request_id"] for event in events}
        assert not keys & seen
        seen |= keys


@pytest.mark.parametrize(
    ("plugin", "test"),
    [
        (Hoards, "test_what_waits_is_bounded"),
        (Hoards, "test_teardown_flushes_records"),
        (Hoards, "test_a_record_that_comes_twice_does_no_harm"),
        (Chokes, "test_a_batch_that_comes_twice_does_no_harm"),
        (Chokes, "test_events_are_delivered"),
        (Hooked, "test_it_writes_something_down"),
    ],
)
def test_a_broken_sink_is_found(plugin: type[Plugin[Any]], test: str) -> None:
    fails(SinkContract, test, plugin, delivered=lambda *_: [], flood=1000)


def test_a_sink_that_waits_is_found() -> None:
    fails(SinkContract, "test_record_does_not_wait_for_the_destination", Blocks, samples=20)


# Authentication


def authenticator(answer: Callable[[str | None], Any]) -> type[Plugin[Any]]:
    class Auth(Plugin[PluginConfig]):
        @hookimpl
        async def authenticate(self, ctx: Context) -> Any:
            return answer(ctx.headers.get("authorization"))

    return Auth


@pytest.mark.parametrize(
    ("answer", "test"),
    [
        (lambda value: None, "test_its_credential_gives_a_principal"),
        (lambda value: Principal(f"key:{SECRET}"), "test_the_principal_does_not_hold_the_credential"),
        (lambda value: Principal("anybody"), "test_a_request_without_credentials_is_not_its_own"),
        (
            lambda value: Principal("somebody") if value else None,
            "test_hostile_headers_get_an_answer_and_never_a_principal",
        ),
        (lambda value: bool(value), "test_hostile_headers_get_an_answer_and_never_a_principal"),
        (
            lambda value: Principal("prefix") if (value or "").startswith(f"Bearer {SECRET}"[:-1]) else None,
            "test_a_credential_that_is_off_by_one_is_not_accepted",
        ),
    ],
)
def test_a_broken_authenticator_is_found(answer: Callable[[str | None], Any], test: str) -> None:
    fails(AuthContract, test, authenticator(answer), credentials={"authorization": f"Bearer {SECRET}"})


def test_an_authenticator_that_raises_is_found() -> None:
    class Case(AuthContract):
        plugin = authenticator(lambda value: value and value.split(" ")[1])
        name = "broken"

    with pytest.raises(IndexError):
        Case().test_hostile_headers_get_an_answer_and_never_a_principal()
