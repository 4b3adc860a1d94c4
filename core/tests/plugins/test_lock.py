"""The lock admits exactly what was reviewed."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from routeiq.plugins.discover import Found, scan, the_one
from routeiq.plugins.lock import check_lock, write_lock
from routeiq_sdk import ConfigError, PluginError


@pytest.fixture
def found(site) -> Found:
    site.install("vault", "class It(Plugin): ...")
    return the_one("vault", scan())


@pytest.fixture
def lock(found: Found, tmp_path: Path) -> Path:
    path = tmp_path / "routeiq.plugins.lock"
    write_lock(path, [found])
    return path


def test_an_unchanged_plugin_passes(found: Found, lock: Path) -> None:
    check_lock(lock, [found])


def test_it_records_what_and_never_where_from(lock: Path) -> None:
    entry = json.loads(lock.read_text())["plugins"]["vault"]
    assert entry.keys() == {"distribution", "version", "entry_point", "sha256"}
    assert "://" not in lock.read_text()


def test_a_changed_file_is_refused(site, found: Found, lock: Path) -> None:
    with (site.folder / "routeiq_vault.py").open("a") as file:
        file.write("# one comment\n")
    with pytest.raises(PluginError, match="sha256 is"):
        check_lock(lock, [found])


def test_a_lost_file_is_refused(site, found: Found, lock: Path) -> None:
    (site.folder / "routeiq_vault.py").unlink()
    with pytest.raises(PluginError, match=r"lacks its file routeiq_vault\.py"):
        check_lock(lock, [found])


def test_a_lost_file_is_refused_whoever_reads_the_metadata(site, found: Found, lock: Path, monkeypatch) -> None:
    """As newer versions of importlib.metadata do, and its backport: files that are gone are not listed."""
    files = Distribution.files.fget
    assert files is not None
    there = property(lambda self: [file for file in files(self) or () if Path(str(self.locate_file(file))).exists()])
    monkeypatch.setattr(Distribution, "files", there)
    (site.folder / "routeiq_vault.py").unlink()
    with pytest.raises(PluginError, match=r"lacks its file routeiq_vault\.py"):
        check_lock(lock, [found])


def test_another_version_is_refused(site, lock: Path) -> None:
    for file in (site.folder / "routeiq_vault-1.0.dist-info").iterdir():
        file.unlink()
    (site.folder / "routeiq_vault-1.0.dist-info").rmdir()
    site.install("vault", "class It(Plugin): ...", version="1.1")
    with pytest.raises(PluginError, match=r"version is 1\.1, not 1\.0"):
        check_lock(lock, [the_one("vault", scan())])


def test_a_plugin_that_is_not_in_it_is_refused(site, lock: Path) -> None:
    site.install("stranger", "class It(Plugin): ...")
    with pytest.raises(PluginError, match="is not in"):
        check_lock(lock, [the_one("stranger", scan())])


def test_compiled_files_and_the_installers_notes_do_not_count(site, found: Found, lock: Path) -> None:
    info = "routeiq_vault-1.0.dist-info"
    record = (site.folder / info / "RECORD").read_text()
    extra = f"{info}/INSTALLER,,\n__pycache__/routeiq_vault.cpython-311.pyc,,\n../../bin/vault,,\n"
    site.write({f"{info}/RECORD": record + extra, f"{info}/INSTALLER": "some tool"})
    check_lock(lock, [found])


def test_an_editable_install_cannot_be_locked(site, found: Found, tmp_path: Path) -> None:
    site.write({"routeiq_vault-1.0.dist-info/direct_url.json": '{"url": "file:///x", "dir_info": {"editable": true}}'})
    with pytest.raises(PluginError, match="editable install"):
        write_lock(tmp_path / "other.lock", [found])


def test_an_install_without_a_record_cannot_be_locked(site, found: Found, tmp_path: Path) -> None:
    (site.folder / "routeiq_vault-1.0.dist-info" / "RECORD").unlink()
    with pytest.raises(PluginError, match="no RECORD"):
        write_lock(tmp_path / "other.lock", [found])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 9, "plugins": {}}', '{"format": 1, "plugins": {"vault": 3}}']
)
def test_a_lock_that_cannot_be_read_is_an_error_and_not_an_empty_lock(text: str, found: Found, tmp_path: Path) -> None:
    path = tmp_path / "bad.lock"
    path.write_text(text)
    with pytest.raises(ConfigError, match="routeiq plugins lock"):
        check_lock(path, [found])


def test_a_lock_that_is_not_there_is_an_error(found: Found, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        check_lock(tmp_path / "none.lock", [found])
