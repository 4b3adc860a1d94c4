"""Promise: a file of a skill has one plain relative name, which means the same on every system and in every URI."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routeiq_skills.faces.uris import place_of, uri_of
from routeiq_skills.store.limits import LIMITS, BadSkill
from routeiq_skills.store.paths import check_apart, check_path
from routeiq_skills.store.skill import skill_of

from .writing import skill_md

BAD = [
    "",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a/./b",
    "./a",
    "a//b",
    "a/",
    "..",
    ".",
    "a\\b",
    "..\\x",
    "C:/x",
    "c:x",
    "a\0b",
    "a\nb",
    "a\u202eb",
    "a\u200bb",
    ".env",
    "a/.ssh/id",
    "con",
    "a/NUL.txt",
    "a/com1",
    "x.",
    "x ",
    " x",
    "a?b",
    "a*b",
    "e\u0301",
    "\udcff",
    "a" * (LIMITS.path_length + 1),
    "/".join("a" * (LIMITS.depth + 1)),
    "file.txt:stream",
]


@pytest.mark.parametrize("path", BAD)
def test_a_path_that_could_be_something_else_is_refused(path: str) -> None:
    with pytest.raises(BadSkill) as refused:
        check_path(path)
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()
    with pytest.raises(BadSkill):
        skill_of("a", {"SKILL.md": skill_md("a"), path: b""})


@pytest.mark.parametrize(
    "path", ["SKILL.md", "a/b/c.md", "a b.md", "ä/ö.md", "日本.md", "a-b_c~d!$&'()+,;=@[1]%23#.md"]
)
def test_a_plain_path_is_taken(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "paths",
    [
        ("a.md", "A.md"),
        ("a/x", "A/y"),
        ("straße", "STRASSE"),
        ("a", "a/b"),
        ("A", "a/b"),
        ("ﬁ.md", "fi.md"),
        ("K.md", "\u212a.md"),
    ],
)
def test_paths_that_are_one_on_some_system_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(BadSkill):
        check_apart(paths)


@given(st.text(max_size=60))
@example("a/b\0")
@example("%2e%2e/x")
@example("..%2f")
def test_a_taken_path_stays_below_its_folder_and_has_one_uri(path: str) -> None:
    try:
        check_path(path)
    except BadSkill:
        return
    root = Path("/srv/skill")
    assert os.path.normpath(root / path) == str(root / path)
    assert (root / path).is_relative_to(root)
    assert unicodedata.normalize("NFC", path) == path
    uri = uri_of("skill", path)
    assert place_of(uri) == ("skill", path)
    assert uri.isascii()


@given(st.text(max_size=60))
def test_a_uri_names_one_place_or_none(text: str) -> None:
    place = place_of(f"skill://{text}")
    if place is not None:
        assert uri_of(*place) == f"skill://{text}"
