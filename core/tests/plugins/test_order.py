"""Order is by names, then by place; a cycle is named."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.config.routeiq_block import PluginEntry
from routeiq.plugins.order import Placed, order
from routeiq.plugins.select import PROFILES, check_names, select
from routeiq_sdk import ConfigError, PluginError


def placed(name: str, before: str = "", after: str = "") -> Placed:
    return Placed(name, frozenset(before.split()), frozenset(after.split()))


def test_without_wishes_the_place_decides() -> None:
    assert order([placed("c"), placed("a"), placed("b")]) == ("c", "a", "b")


def test_names_win_over_places() -> None:
    assert order([placed("a", after="c"), placed("b"), placed("c")]) == ("b", "c", "a")
    assert order([placed("a"), placed("b"), placed("c", before="a")]) == ("b", "c", "a")


def test_a_plugin_moves_no_further_than_it_must() -> None:
    """`d` waits for nobody, so it keeps its place among those that are free."""
    assert order([placed("a", after="b"), placed("b"), placed("c"), placed("d")]) == ("b", "a", "c", "d")


def test_absent_names_are_ignored() -> None:
    assert order([placed("a", after="ghost", before="phantom")]) == ("a",)


def test_a_cycle_is_named_with_who_said_so() -> None:
    with pytest.raises(PluginError) as caught:
        order([placed("x"), placed("a", before="b"), placed("b", before="c"), placed("c"), placed("d", "a", "c")])
    text = str(caught.value)
    assert "a before b (said by a)" in text
    assert "c before d (said by d)" in text
    assert "d before a (said by d)" in text


def test_a_plugin_cannot_come_before_itself() -> None:
    with pytest.raises(PluginError, match="cycle"):
        order([placed("a", before="a")])


@given(st.integers(0, 9), st.randoms(use_true_random=False))
def test_every_wish_is_kept_and_nobody_is_lost(size: int, dice: random.Random) -> None:
    names = [f"p{number}" for number in range(size)]
    hidden = names.copy()
    dice.shuffle(hidden)
    plugins = []
    for name in names:
        place = hidden.index(name)
        before = frozenset(other for other in hidden[place + 1 :] if dice.random() < 0.3)
        after = frozenset(other for other in hidden[:place] if dice.random() < 0.3)
        plugins.append(Placed(name, before, after))
    ordered = order(plugins)
    assert sorted(ordered) == sorted(names)
    for plugin in plugins:
        for later in plugin.before:
            assert ordered.index(plugin.name) < ordered.index(later)
        for earlier in plugin.after:
            assert ordered.index(earlier) < ordered.index(plugin.name)


def entry(**own: object) -> PluginEntry:
    return PluginEntry.model_validate(own)


def test_the_standard_profile_is_a_fixed_list() -> None:
    names = [one.name for one in select({}, "standard")]
    assert names == ["governance", "routing-classic", "routing-ml", "otel", "prometheus", "callbacks"]
    assert not any(one.required for one in select({}, "standard"))


def test_minimal_is_nothing() -> None:
    assert select({}, "minimal") == []
    assert PROFILES["minimal"] == ()


def test_what_the_yaml_names_is_required_and_keeps_its_place() -> None:
    chosen = select({"otel": entry(), "mine": entry(config={"a": 1}, before=["otel"])}, "standard")
    assert [(one.name, one.required) for one in chosen] == [
        ("governance", False),
        ("routing-classic", False),
        ("routing-ml", False),
        ("prometheus", False),
        ("callbacks", False),
        ("otel", True),
        ("mine", True),
    ]
    assert chosen[-1].config == {"a": 1}
    assert chosen[-1].before == ("otel",)


def test_enabled_false_turns_a_plugin_off_also_in_the_profile() -> None:
    names = [one.name for one in select({"otel": entry(enabled=False), "mine": entry(enabled=False)}, "standard")]
    assert names == ["governance", "routing-classic", "routing-ml", "prometheus", "callbacks"]


def test_a_yaml_order_that_names_nobody_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"plugins.mine.after names an unknown plugin 'otle'.*did you mean 'otel'"):
        check_names(select({"mine": entry(after=["otle"])}, "minimal"), ())


def test_a_yaml_order_may_name_a_plugin_that_is_installed_and_not_used() -> None:
    check_names(select({"mine": entry(after=["spare", "governance"])}, "minimal"), ["spare"])


def test_guards_come_first_and_sinks_last_unless_a_name_says_otherwise() -> None:
    sink, plain, guard = (
        Placed("sink", frozenset(), frozenset(), "sinks"),
        placed("plain"),
        Placed("guard", frozenset(), frozenset(), "guards"),
    )
    assert order([sink, plain, guard]) == ("guard", "plain", "sink")
    assert order([sink, plain, guard._replace(after=frozenset({"plain"}))]) == ("plain", "guard", "sink")
