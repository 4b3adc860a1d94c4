"""A release that no gateway runs beside stops it, wherever on the path it lies, with the mend."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from routeiq.config import load
from routeiq.config.errors import ConfigErrors
from routeiq.installed import releases
from routeiq.plugins.assemble import assemble
from routeiq.plugins.check import check_plugins


def install(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path):
    file = tmp_path / "routeiq.yaml"
    file.write_text("general_settings: {master_key: sk-releases-2b7e151628aed2a6}\nrouteiq: {profile: minimal}\n")
    return load(file, {})


@pytest.mark.parametrize("row", releases.REFUSED, ids=lambda row: f"{row.distribution}{row.versions}")
def test_each_row_can_be_read_and_says_why(row: releases.Refused) -> None:
    assert SpecifierSet(row.versions)
    assert canonicalize_name(row.distribution) == row.distribution
    assert row.reason
    assert str(row.problem("1")).count("Mend:") == 1


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("litellm", "1.82.7"),
        ("litellm", "1.82.8.post1"),
        ("LiteLLM", "1.107.0rc1"),
        ("pytorch_lightning", "2.6.3"),
        ("ultralytics", "8.3.46"),
        ("starlette", "1.0.0"),
        ("skops", "0.12.0"),
    ],
)
def test_a_refused_release_is_known_by_any_spelling(name: str, version: str) -> None:
    assert releases.refusal(name, version) is not None


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("litellm", "1.82.6"),
        ("litellm", "1.82.70"),
        ("litellm", "1.108.0"),
        ("litellm", "not a version"),
        ("starlette", "1.0.1"),
        ("ultralytics", "8.3.44"),
        ("skops", "0.13.0"),
        ("somebody", "1.82.7"),
    ],
)
def test_other_releases_pass(name: str, version: str) -> None:
    assert releases.refusal(name, version) is None


def test_nothing_refused_is_installed_here() -> None:
    assert releases.problems() == []


def test_a_start_beside_a_compromised_release_is_refused_with_name_place_and_mend(path: Path, config) -> None:
    install(path, "litellm", "1.82.8")
    with pytest.raises(ConfigErrors) as caught:
        assemble(config)
    said = str(caught.value)
    assert "litellm 1.82.8" in said
    assert str(path) in said
    assert "PYSEC-2026-2" in said
    assert "replace every key" in said


def test_a_copy_that_another_one_hides_is_found(path: Path, tmp_path: Path, monkeypatch) -> None:
    install(path, "telnyx", "4.87.2")
    front = tmp_path / "front"
    install(front, "telnyx", "4.90.0")
    monkeypatch.syspath_prepend(str(front))
    assert [str(path) in str(problem) for problem in releases.problems()] == [True]


def test_each_of_several_is_told_at_once(path: Path, config) -> None:
    install(path, "num2words", "0.5.15")
    install(path, "pytorch-lightning", "2.6.2")
    with pytest.raises(ConfigErrors) as caught:
        assemble(config)
    assert len(caught.value.problems) == 2


def test_the_check_of_plugins_tells_it_and_imports_none_of_them(path: Path, config) -> None:
    install(path, "litellm", "1.82.7")
    report = check_plugins(config)
    assert report.plugins == []
    assert ["litellm 1.82.7" in problem for problem in report.problems] == [True]
    assert report.as_dict()["ok"] is False
