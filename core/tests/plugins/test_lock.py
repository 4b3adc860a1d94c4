"""The lock admits exactly what was reviewed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import py_compile
import sys
from collections.abc import Iterator
from importlib.machinery import FileFinder, SourceFileLoader
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from types import CodeType

import pytest

from routeiq.installed.start_up import StartUpCode
from routeiq.plugins import lock as locking
from routeiq.plugins.discover import Found, scan, the_one
from routeiq.plugins.lock import check_lock, write_lock
from routeiq.plugins.locked_imports import NOTHING, hold_imports_to, packages_of
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
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 9, "plugins": {}}',
        '{"format": 1, "plugins": {"vault": 3}}',
        '{"format": 1, "plugins": {}, "start_up_code": []}',
        '{"format": 1, "plugins": {}, "start_up_code": {"x.pth": "abc"}}',
    ],
)
def test_a_lock_that_cannot_be_read_is_an_error_and_not_an_empty_lock(text: str, found: Found, tmp_path: Path) -> None:
    path = tmp_path / "bad.lock"
    path.write_text(text)
    with pytest.raises(ConfigError, match="routeiq plugins lock"):
        check_lock(path, [found])


def test_a_lock_that_is_not_there_is_an_error(found: Found, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        check_lock(tmp_path / "none.lock", [found])


@pytest.fixture
def held() -> Iterator[None]:
    yield
    hold_imports_to(NOTHING)


def held_to(lock: Path, found: Found) -> None:
    hold_imports_to(check_lock(lock, [found]))
    sys.modules.pop("routeiq_vault", None)
    importlib.invalidate_caches()


def test_what_is_locked_is_imported(held: None, found: Found, lock: Path) -> None:
    held_to(lock, found)
    assert importlib.import_module("routeiq_vault").It


def test_a_file_that_changes_after_the_check_is_not_run(held: None, site, found: Found, lock: Path) -> None:
    held_to(lock, found)
    site.write({"routeiq_vault.py": "import sys; sys.stolen = True\n"})
    with pytest.raises(ImportError, match="no longer what the lock covers"):
        importlib.import_module("routeiq_vault")
    assert not hasattr(sys, "stolen")


def test_a_compiled_copy_is_not_run_in_place_of_its_source(held: None, site, found: Found, lock: Path) -> None:
    """A compiled file says itself which source it belongs to, or that nobody need look."""
    (site.folder / "evil.py").write_text("import sys; sys.stolen = True\nIt = 1\n")
    py_compile.compile(
        str(site.folder / "evil.py"),
        cfile=importlib.util.cache_from_source(str(site.folder / "routeiq_vault.py")),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    held_to(lock, found)
    assert importlib.import_module("routeiq_vault").It != 1
    assert not hasattr(sys, "stolen")


def test_a_loader_that_a_library_put_in_place_of_pythons_is_not_used(held: None, found: Found, lock: Path) -> None:
    class Others(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:
            raise AssertionError("it was asked")

    hook = FileFinder.path_hook((Others, [".py"]))
    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()
    try:
        held_to(lock, found)
        assert importlib.import_module("routeiq_vault").It
    finally:
        sys.path_hooks.remove(hook)
        sys.path_importer_cache.clear()


def test_a_package_laid_over_a_module_is_not_run(held: None, site, found: Found, lock: Path) -> None:
    site.write({"routeiq_vault/__init__.py": "import sys; sys.stolen = True\n"})
    held_to(lock, found)
    with pytest.raises(ImportError, match="not a file that the lock covers"):
        importlib.import_module("routeiq_vault")
    assert not hasattr(sys, "stolen")


def test_a_folder_further_up_on_the_path_is_not_run(
    held: None, found: Found, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "front").mkdir()
    (tmp_path / "front" / "routeiq_vault.py").write_text("import sys; sys.stolen = True\n")
    monkeypatch.syspath_prepend(str(tmp_path / "front"))
    held_to(lock, found)
    with pytest.raises(ImportError, match="not a file that the lock covers"):
        importlib.import_module("routeiq_vault")
    assert not hasattr(sys, "stolen")


def test_other_packages_are_left_alone(held: None, site, found: Found, lock: Path) -> None:
    site.write({"stranger_of_the_lock.py": "x = 1\n"})
    site.modules.add("stranger_of_the_lock")
    held_to(lock, found)
    assert importlib.import_module("stranger_of_the_lock").x == 1


@pytest.mark.parametrize(
    ("files", "packages"),
    [
        (["a.py", "a-1.dist-info/METADATA"], {"a"}),
        (["a/__init__.py", "a/b.py", "a/c/__init__.py", "a/c/d.py", "a/data.json"], {"a"}),
        (["space/a/__init__.py", "space/a/b.py", "space/lone.py"], {"space.a", "space.lone"}),
        (["fast.cpython-311-x86_64-linux-gnu.so", "../../bin/a.py"], {"fast"}),
    ],
)
def test_the_packages_of_a_distribution_are_its_outermost_ones(files: list[str], packages: set[str]) -> None:
    assert packages_of([PurePosixPath(file) for file in files]) == packages


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StartUpCode:
    one = StartUpCode(tmp_path / "thief.pth", "import thief", "a" * 64, "unknown")
    known = StartUpCode(tmp_path / "harmless.pth", "import harmless", "b" * 64, "known")
    monkeypatch.setattr(locking, "start_up_code", lambda: (known, one))
    return one


def test_start_up_code_that_nobody_accepted_is_refused(found: Found, lock: Path, planted: StartUpCode) -> None:
    with pytest.raises(ConfigError, match=r"thief\.pth runs code at each start of Python: import thief"):
        check_lock(lock, [found])


def test_start_up_code_is_locked_only_when_it_is_named(found: Found, tmp_path: Path, planted: StartUpCode) -> None:
    lock = tmp_path / "other.lock"
    with pytest.raises(ConfigError, match="--accept"):
        write_lock(lock, [found])
    assert not lock.exists()
    write_lock(lock, [found], ["thief.pth"])
    assert json.loads(lock.read_text())["start_up_code"] == {"thief.pth": ["a" * 64]}
    check_lock(lock, [found])


def test_accepted_start_up_code_that_changed_is_refused(
    found: Found, tmp_path: Path, planted: StartUpCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "other.lock"
    write_lock(lock, [found], ["thief.pth"])
    changed = StartUpCode(planted.path, "import thief", "c" * 64, "unknown")
    monkeypatch.setattr(locking, "start_up_code", lambda: (changed,))
    with pytest.raises(ConfigError, match="does not cover it"):
        check_lock(lock, [found])


def test_a_file_that_cannot_be_read_cannot_be_accepted(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "start_up_code", lambda: (StartUpCode(tmp_path / "x.pth", "", "", "unknown"),))
    with pytest.raises(ConfigError, match=r"x\.pth"):
        write_lock(tmp_path / "other.lock", [found], ["x.pth"])
