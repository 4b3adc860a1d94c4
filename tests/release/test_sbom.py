"""A list of what is inside that lacks something, or tells of a place, is no list."""

from __future__ import annotations

from typing import Any

import pytest
from sbom import SPEC, told_of


def component(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "purl": f"pkg:pypi/{name}@1", **more}


def found_at(url: str, comment: str = "") -> dict[str, Any]:
    return component("x", externalReferences=[{"url": url, "type": "distribution", "comment": comment}])


OURS = [component("routeiq"), component("routeiq-sdk")]


def test_a_whole_list_is_told() -> None:
    page = {"url": "https://pyyaml.org/", "type": "website", "comment": "from packaging metadata: Home-page"}
    components = [*OURS, component("PyYAML", externalReferences=[page]), component("pip")]
    assert told_of({"specVersion": SPEC, "components": components}) == ["PyYAML 1", "routeiq 1", "routeiq-sdk 1"]


@pytest.mark.parametrize(
    ("version", "components", "says"),
    [
        (SPEC, [], "lacks RouteIQ"),
        ("1.5", OURS, "lacks RouteIQ"),
        (SPEC, [*OURS, {"name": "x", "version": "1"}], "does not identify x"),
        (SPEC, [*OURS, {"name": "x", "purl": "p"}], "does not identify x"),
        (SPEC, [*OURS, found_at("file:///home/x")], "where x was installed from"),
        (SPEC, [*OURS, found_at("https://i.invalid/", "PackageSource: Archive")], "where x was installed from"),
    ],
)
def test_any_other_is_refused(version: str, components: list[Any], says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        told_of({"specVersion": version, "components": components})
