"""Discovery reads metadata, imports nothing, and shows every claim to a name."""

from __future__ import annotations

import sys

import pytest

from routeiq.plugins.discover import claimants, scan, the_one
from routeiq_sdk import PluginError


def test_a_plugin_is_found_with_its_kind_and_distribution(site) -> None:
    site.install("finder", "class It(Plugin): ...", kind="guards", version="1.2.3")
    (found,) = [found for found in scan() if found.name == "finder"]
    assert (found.kind, found.group, found.distribution, found.version, found.value) == (
        "guards",
        "routeiq.guards",
        "routeiq-finder",
        "1.2.3",
        "routeiq_finder:It",
    )


def test_scanning_imports_no_plugin(site) -> None:
    site.install("bomb", "raise RuntimeError('imported')")
    assert the_one("bomb", scan()).name == "bomb"
    assert "routeiq_bomb" not in sys.modules


def test_other_groups_are_not_plugins(site) -> None:
    site.install("engine", "class It: ...", kind="engines")
    assert claimants("engine", scan()) == ()


def test_two_distributions_that_claim_one_name_are_both_shown_and_neither_is_used(site) -> None:
    site.install("popular", "class It(Plugin): ...", distribution="routeiq-popular")
    site.install("popular", "class It(Plugin): ...", distribution="other-popular", kind="sinks")
    founds = scan()
    assert {found.distribution for found in founds if found.name == "popular"} == {"routeiq-popular", "other-popular"}
    with pytest.raises(PluginError) as caught:
        the_one("popular", founds)
    assert "routeiq-popular 1.0" in str(caught.value)
    assert "other-popular 1.0" in str(caught.value)
    assert "uninstall" in str(caught.value)


def test_one_distribution_may_list_a_class_under_two_kinds(site) -> None:
    site.install("both", "class It(Plugin): ...")
    entries = "[routeiq.guards]\nboth = routeiq_both:It\n[routeiq.sinks]\nboth = routeiq_both:It\n"
    site.write({"routeiq_both-1.0.dist-info/entry_points.txt": entries})
    assert the_one("both", scan()).distribution == "routeiq-both"


def test_a_missing_plugin_names_what_to_install_and_the_nearest_name(site) -> None:
    site.install("firewall", "class It(Plugin): ...")
    with pytest.raises(PluginError, match=r"pip install routeiq-firewal, or did you mean 'firewall'\?"):
        the_one("firewal", scan())
