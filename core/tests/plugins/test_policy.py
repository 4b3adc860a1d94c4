"""The allow-list admits by distribution, version range and entry point, and nothing else."""

from __future__ import annotations

import pytest

from routeiq.config.routeiq_block import AllowedPlugin
from routeiq.plugins.discover import Found
from routeiq.plugins.policy import OPEN, allowed, read_policy
from routeiq_sdk import ConfigError


def found(distribution: str = "routeiq-x", version: str = "1.4", name: str = "x") -> Found:
    return Found(name, "guards", "routeiq.guards", "routeiq_x:It", distribution, version)


@pytest.mark.parametrize(
    ("row", "admitted"),
    [
        ({"distribution": "routeiq-x"}, True),
        ({"distribution": "RouteIQ_X"}, True),
        ({"distribution": "routeiq-y"}, False),
        ({"distribution": "routeiq-x", "version": ">=1.2,<2"}, True),
        ({"distribution": "routeiq-x", "version": ">=1.5"}, False),
        ({"distribution": "routeiq-x", "version": "==1.4"}, True),
        ({"distribution": "routeiq-x", "entry_point": "x"}, True),
        ({"distribution": "routeiq-x", "entry_point": "y"}, False),
    ],
)
def test_a_row_admits_what_it_describes(row: dict[str, str], admitted: bool) -> None:
    assert allowed(found(), read_policy([AllowedPlugin(**row)])) is admitted


def test_without_a_list_everything_named_may_run() -> None:
    assert read_policy(None) is OPEN
    assert allowed(found(), OPEN)


def test_an_empty_list_admits_nothing() -> None:
    assert not allowed(found(), read_policy([]))


def test_a_pre_release_in_the_range_is_admitted() -> None:
    assert allowed(found(version="1.5rc1"), read_policy([AllowedPlugin(distribution="routeiq-x", version=">=1.4")]))


def test_a_version_range_that_is_none_is_an_error_with_its_place() -> None:
    rows = [AllowedPlugin(distribution="a"), AllowedPlugin(distribution="routeiq-x", version="newest")]
    with pytest.raises(ConfigError, match=r"allow\[1\].version: 'newest' is not a version range"):
        read_policy(rows)
