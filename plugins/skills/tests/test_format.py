"""Promise: what is served conforms to the format, and a head means to us what it means to every reader."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from routeiq_skills.store.frontmatter import frontmatter_of
from routeiq_skills.store.limits import LIMITS, BadSkill
from routeiq_skills.store.skill import skill_of

from .writing import skill_md


@pytest.mark.parametrize("name", ["a", "pdf", "pdf-tools-2", "0", "a" * 64])
def test_a_good_name_is_taken(name: str) -> None:
    assert skill_of(name, {"SKILL.md": skill_md(f'"{name}"')}).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a--b", "a_b", "a.b", "a b", "ä", "a" * 65, "a\n", "..", "a/b"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadSkill):
        skill_of(name, {"SKILL.md": skill_md(json.dumps(name))})


def test_the_name_is_that_of_the_folder() -> None:
    with pytest.raises(BadSkill, match="have to be the same"):
        skill_of("pdf", {"SKILL.md": skill_md("docx")})


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("license: 3\n", "license"),
        ("license: [MIT]\n", "license"),
        (f"compatibility: {'x' * 501}\n", "compatibility"),
        ('compatibility: ""\n', "compatibility"),
        ("metadata: [a]\n", "metadata"),
        ("allowed-tools: {a: b}\n", "allowed-tools"),
        ("allowed-tools: [1]\n", "allowed-tools"),
        ("name: again\n", "twice"),
        ("metadata: {a: 1, a: 2}\n", "twice"),
        ("metadata: &a {b: c}\n", ""),
        ("metadata: *a\n", "alias"),
        ("metadata: !!python/object/apply:os.system [id]\n", "tag"),
        ("metadata: !!str x\n", "tag"),
        ("1: x\n", "no text"),
        ("a: .inf\n", "finite"),
        ("a: 123456789012345678901\n", "digits"),
        ('a: "\\ud800"\n', "surrogate"),
        ("a: [\n", "not YAML"),
        ("a: 'b\n", "not YAML"),
        (f"a: {'[' * 5000}\n", ""),
    ],
)
def test_a_bad_head_is_refused_with_its_reason(more: str, reason: str) -> None:
    if reason == "":
        try:
            frontmatter_of(skill_md("a", more=more))
        except BadSkill:
            return
        assert "&a" in more  # an anchor that nobody uses means nothing
        return
    with pytest.raises(BadSkill, match=reason):
        frontmatter_of(skill_md("a", more=more))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# no head\n",
        b"---\nname: a\ndescription: b\n",
        b" ---\nname: a\ndescription: b\n---\n",
        b"---\n- a\n---\n",
        b"---\n---\n",
        b"---\nname: a\n---\n",
        b"---\nname: a\ndescription: '  '\n---\n",
        b"---\nname: a\ndescription: " + b"x" * 1025 + b"\n---\n",
        b"---\nname: a\ndescription: \xff\n---\n",
        b"---\nname: a\ndescription: b\nc: " + b"x" * LIMITS.frontmatter_bytes + b"\n---\n",
    ],
)
def test_what_has_no_good_head_is_refused(content: bytes) -> None:
    with pytest.raises(BadSkill):
        frontmatter_of(content)


def test_values_are_those_of_yaml_1_2_and_unknown_fields_stay() -> None:
    lines = ("version: 1.0", "day: 2026-11-26", "octal: 010", "yes: yes", "on: on", "colon: 1:30")
    more = "".join(("metadata:\n", *(f"  {line}\n" for line in lines), "new: [a, null]\n"))
    told = frontmatter_of(skill_md("a", more=more))
    assert told["metadata"] == {
        "version": 1.0,
        "day": "2026-11-26",
        "octal": 10,
        "yes": "yes",
        "on": "on",
        "colon": "1:30",
    }
    assert told["new"] == ["a", None]


def test_windows_line_ends_are_taken() -> None:
    assert frontmatter_of(skill_md("a").replace(b"\n", b"\r\n"))["description"] == "Does a thing."


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for content in (data, b"---\nname: a\ndescription: b\n" + data + b"\n---\n"):
        try:
            told = frontmatter_of(content)
        except BadSkill:
            continue
        json.dumps(dict(told), allow_nan=False)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=30),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_json_is_read_as_what_it_is(metadata: dict[str, object]) -> None:
    line = json.dumps(metadata, ensure_ascii=False)
    if any(unprintable in line for unprintable in "\x7f\x85\u2028\u2029\ufeff") or not _yaml_takes(line):
        return  # YAML wants these escaped, and JSON does not
    assert frontmatter_of(skill_md("a", more=f"metadata: {line}\n"))["metadata"] == json.loads(line)


def _yaml_takes(line: str) -> bool:
    return not yaml.reader.Reader.NON_PRINTABLE.search(line)
