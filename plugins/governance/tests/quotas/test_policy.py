"""A quota means what it says, and one that makes no sense is refused with its field and the mend."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_governance.quotas.policy import compiled, read_policy
from routeiq_governance.quotas.rule import Demand, Used
from routeiq_governance.quotas.windows import Calendar, Rolling

TEAM = {"scope": {"team": "A"}, "limit": 50, "unit": "usd", "window": "day", "zone": "UTC"}


def rules(written: dict[str, Any], **told: str | tuple[str, ...]) -> list[Any]:
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in told.items()}
    return compiled(read_policy(written)).rules(values, {name: each[0] for name, each in values.items()})


def test_the_line_of_the_manual_bounds_the_team_alone() -> None:
    (rule,) = rules(TEAM, team=("t-1", "A"))
    assert rule.limit == 50_000_000_000
    assert isinstance(rule.window, Calendar)
    assert rules(TEAM, team="B") == []
    assert rules(TEAM) == []


def test_a_star_counts_each_value_on_its_own() -> None:
    each = {**TEAM, "scope": {"team": "A", "user": "*"}}
    (one,), (two,) = rules(each, team="A", user="u1"), rules(each, team="A", user="u2")
    now = 10**18
    assert one.meter(one.span(now)) != two.meter(two.span(now))
    tagged = rules({**TEAM, "scope": {"tag": "*"}}, tag=("a", "b"))
    assert sorted(rule.value for rule in tagged) == ["a", "b"]


def test_an_empty_scope_bounds_everybody_together() -> None:
    (rule,) = rules({"limit": 5, "unit": "requests", "window": "minute", "rolling": True})
    assert (rule.subject, rule.value) == ("global", "everybody")
    assert isinstance(rule.window, Rolling)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit": -1}, "limit"),
        ({"limit": "NaN"}, "limit"),
        ({"limit": 1e13}, "limit"),
        ({"unit": "dollars"}, "unit"),
        ({"unit": "requests", "limit": 1.5}, "whole numbers"),
        ({"window": "fortnight"}, "window"),
        ({"zone": "Mars/Olympus"}, "IANA"),
        ({"scope": {"planet": "x"}}, "scope"),
        ({"scope": {"team": " "}}, "scope"),
        ({"rolling": True, "window": None}, "rolling"),
        ({"burst": 3}, "burst"),
        ({"unit": "concurrent"}, "window"),
        ({"on_store_failure": "open"}, "money is refused"),
        ({"mode": "off"}, "mode"),
        ({"soft": [2]}, "soft"),
        ({"colour": "red"}, "colour"),
        ({"id": "a b"}, "id"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_policy({name: value for name, value in {**TEAM, **change}.items() if value is not None})


def test_a_charge_is_the_prompt_and_each_token_of_output() -> None:
    now = 10**18
    demand = Demand(input_tokens=100, input_cost=2_000, token_cost=30)
    for unit, base, rate in (
        ("usd", 2_000, 30),
        ("requests", 1, 0),
        ("input_tokens", 100, 0),
        ("output_tokens", 0, 1),
        ("total_tokens", 100, 1),
    ):
        (rule,) = rules({"limit": 9, "unit": unit, "window": "day"})
        charge = rule.charge(demand, now)
        assert (charge.base, charge.rate) == (base, rate), unit
    (rule,) = rules({"limit": 0, "unit": "usd", "window": "day"})
    assert rule.charge(Demand(), now).base == 1, "a limit of nothing lets nothing pass, not even what is free"


def test_what_was_used_is_counted_in_the_unit() -> None:
    used = Used(input_tokens=3, output_tokens=4, cost=5)
    amounts = {
        unit: rules({"limit": 9, "unit": unit, "window": "day"})[0].amount(used)
        for unit in ("usd", "requests", "input_tokens", "output_tokens", "total_tokens")
    }
    assert amounts == {"usd": 5, "requests": 1, "input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def test_a_policy_without_a_name_keeps_the_one_made_of_its_words_when_its_limit_changes() -> None:
    one, two = read_policy(TEAM), read_policy({**TEAM, "limit": 60})
    assert one.name == two.name
    assert read_policy({**TEAM, "scope": {"team": "B"}}).name != one.name
