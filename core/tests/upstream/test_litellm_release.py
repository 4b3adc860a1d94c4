"""A release of litellm that must not be imported is refused before the import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from routeiq.upstream import litellm_release
from routeiq.upstream.litellm_release import check_release, installed
from routeiq_sdk import ConfigError

QUIET = """
import os, sys
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        seen.append((event, args))
sys.addaudithook(hook)
import routeiq.upstream.litellm as adapter
assert not {"litellm", "httpx", "openai"} & set(sys.modules), "imported with the adapter"
assert adapter.installed_version()
assert "litellm" not in sys.modules, "imported by looking for it"
from routeiq.upstream import litellm_library
litellm_library.load()
assert "litellm" in sys.modules
assert not seen, seen
assert "FROM_DOTENV" not in os.environ, "a .env file was read"
"""


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0", "1.107.3.post1", "1.107.0rc1"])
def test_a_compromised_release_is_refused(version: str) -> None:
    with pytest.raises(ConfigError, match="compromised"):
        check_release(version)


@pytest.mark.parametrize("version", ["0.1", "1.81.16", "1.83.6"])
def test_a_release_with_known_holes_is_refused(version: str) -> None:
    with pytest.raises(ConfigError, match=r"1\.83\.7 is the oldest"):
        check_release(version)


@pytest.mark.parametrize("version", ["1.83.7", "1.106.2", "1.108.0rc1", "2.0.0"])
def test_other_releases_pass(version: str) -> None:
    check_release(version)


def test_a_missing_litellm_is_told_with_the_command_that_mends_it() -> None:
    with pytest.raises(ConfigError, match=r'pip install "routeiq\[litellm\]"'):
        check_release(None)


def test_being_installed_is_read_from_the_metadata() -> None:
    assert installed()
    assert litellm_release.installed_version() is not None


def test_the_import_connects_to_nothing_and_reads_no_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    done = subprocess.run([sys.executable, "-c", QUIET], cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
