"""Reading YAML: lines, includes, duplicates, bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from routeiq.config.errors import ConfigErrors
from routeiq.config.source import read, read_text


def refused(text: str) -> ConfigErrors:
    with pytest.raises(ConfigErrors) as caught:
        read_text(text, "a.yaml")
    return caught.value


def test_every_key_and_row_knows_its_line() -> None:
    document = read_text("a:\n  - x: 1\n    y: {z: 2}\n  - 3\n", "a.yaml")
    lines = {path: place.line for path, place in document.positions.items()}
    assert lines == {"a": 1, "a[0]": 2, "a[0].x": 2, "a[0].y": 3, "a[0].y.z": 3, "a[1]": 4}
    assert document.positions["a[0].x"].file == "a.yaml"


def test_a_path_that_was_not_written_has_the_line_of_its_nearest_parent() -> None:
    positions = read_text("a:\n  b:\n    c: 1\n", "a.yaml").positions
    assert positions.at(("a", "b", "missing", 3)).line == 2
    assert positions.at(("nothing",)).line == 1


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n"])
def test_an_empty_document_is_an_empty_mapping(text: str) -> None:
    assert read_text(text, "a.yaml").data == {}


def test_scalars_are_what_litellm_reads_except_dates_which_stay_text() -> None:
    document = read_text("a: 2024-02-01\nb: on\nc: 1.5e-7\nd: 0x10\ne: ~\n408: x\non: y\nf: '7'\n", "a.yaml")
    assert document.data == {
        "a": "2024-02-01",
        "b": True,
        "c": 1.5e-7,
        "d": 16,
        "e": None,
        "408": "x",
        "on": "y",
        "f": "7",
    }


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    document = read_text("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n", "a.yaml")
    assert document.data["one"] == {"x": 1, "y": 3}
    assert document.data["two"] == {"x": 1, "y": 2}
    assert document.positions["two"].line == 3


def test_every_duplicate_key_is_named_with_both_lines() -> None:
    error = refused("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n")
    assert [(problem.line, problem.message) for problem in error.problems] == [
        (4, "key 'c' is written twice (first at line 3)."),
        (5, "key 'a' is written twice (first at line 1)."),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("- a\n- b\n", 1, "mapping of keys"),
        ("just text\n", 1, "mapping of keys"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "not supported"),
        ("a: !own 1\n", 1, "tag !own is not supported"),
        ("a: !!binary aGk=\n", 1, "tag !!binary is not supported"),
        ("a: !!int many\n", 1, "cannot be read as int"),
        ("a: *nothing\n", 1, "names no anchor"),
        ("a: &self [*self]\n", 1, "names no anchor"),
        ("{[a, b]: 1}\n", 1, "a key must be plain text"),
        ("a: {<<: 3}\n", 1, "`<<` takes a mapping"),
        ("a: 0x" + "f" * 5000 + "\n", 1, "too large"),
        ("a: " + "9" * 5000 + "\n", 1, "cannot be read as int"),
        ('a: "\x07"\n', 1, "not valid YAML"),
        ("include: [b.yaml]\n", 1, "cannot include"),
    ],
)
def test_bad_yaml_is_named_with_its_line(text: str, line: int, what: str) -> None:
    error = refused(text)
    assert (error.file, error.line) == ("a.yaml", line)
    assert what in str(error)


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "[" * 100_000 + "]" * 100_000, "a:\n" + "- " * 5000])
def test_deep_nesting_is_refused_and_does_not_crash(text: str) -> None:
    assert "nested deeper" in str(refused(text))


def test_aliases_cannot_multiply_without_a_bound() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases are expanded" in str(refused("\n".join(rows)))


def test_aliases_cannot_stack_depth() -> None:
    rows = ["a0: &a0 " + "[" * 40 + "]" * 40]
    rows += [f"a{n}: &a{n} " + "[" * 40 + f"*a{n - 1}" + "]" * 40 for n in range(1, 30)]
    assert "nested deeper" in str(refused("\n".join(rows)))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.yaml"


def test_included_lists_are_appended_and_mappings_merged_with_their_own_lines(tmp_path: Path) -> None:
    main = write(
        tmp_path,
        main="include: [more.yaml]\nmodel_list:\n  - a\nrouter_settings:\n  x: {p: 1}\n",
        more="# a comment\nmodel_list:\n  - b\nrouter_settings: {x: {q: 2}}\nnew: 1\n",
    )
    document = read(main)
    assert document.data == {"model_list": ["a", "b"], "router_settings": {"x": {"p": 1, "q": 2}}, "new": 1}
    assert document.positions["model_list[0]"] == (str(main), 3)
    assert document.positions["model_list[1]"] == (str(tmp_path / "more.yaml"), 3)
    assert document.positions["router_settings.x.q"] == (str(tmp_path / "more.yaml"), 4)
    assert document.sources == (main, tmp_path / "more.yaml")
    assert document.notices == ()


def test_of_two_plain_values_the_included_one_counts_and_is_told(tmp_path: Path) -> None:
    main = write(tmp_path, main="include: [more.yaml]\nx: {y: 1}\n", more="x:\n  y: 2\n")
    document = read(main)
    assert document.data == {"x": {"y": 2}}
    (notice,) = document.notices
    assert (notice.level, notice.path, notice.line) == ("warning", "x.y", 2)
    assert f"{main}:2" in notice.message


def test_includes_nest_beside_their_file_or_beside_the_main_one(tmp_path: Path) -> None:
    sub = tmp_path / "sub"
    main = write(tmp_path, main="include: sub/one.yaml\n", three="c: 3\n")
    write(sub, one="include: [two.yaml, three.yaml]\na: 1\n", two="b: 2\n")
    assert read(main).data == {"a": 1, "b": 2, "c": 3}


def test_a_file_included_on_two_ways_is_read_once(tmp_path: Path) -> None:
    main = write(
        tmp_path, main="include: [a.yaml, b.yaml]\n", a="include: [c.yaml]\n", b="include: [c.yaml]\n", c="l: [1]\n"
    )
    assert read(main).data == {"l": [1]}


def test_a_cycle_of_includes_names_its_files(tmp_path: Path) -> None:
    main = write(tmp_path, main="x: 1\ninclude: [a.yaml]\n", a="include: [main.yaml]\n")
    with pytest.raises(ConfigErrors, match=r"main\.yaml -> .*a\.yaml -> .*main\.yaml") as caught:
        read(main)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "a.yaml"), 1)


@pytest.mark.parametrize("include", ["[gone.yaml]", "gone.yaml", "['\\0']", '["a\\0b"]'])
def test_a_missing_include_is_an_error_with_its_line(tmp_path: Path, include: str) -> None:
    with pytest.raises(ConfigErrors, match="does not exist") as caught:
        read(write(tmp_path, main=f"x: 1\ninclude: {include}\n"))
    assert caught.value.line == 2


@pytest.mark.parametrize("include", ["{a: b}", "[1]", "[[a]]"])
def test_include_must_be_a_list_of_names(tmp_path: Path, include: str) -> None:
    with pytest.raises(ConfigErrors, match="list of file names"):
        read(write(tmp_path, main=f"include: {include}\n"))


def test_a_missing_file_and_a_folder_are_errors_with_a_mend(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(ConfigErrors, match=r"cannot read it.*Mend: .*routeiq init"):
            read(path)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "main.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigErrors, match="not UTF-8") as caught:
        read(path)
    assert caught.value.line == 2


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "main.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).data == {"a": 1}
