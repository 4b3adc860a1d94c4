"""V16: importing RouteIQ, each of its plugins, and litellm opens no connection and starts no program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .watched import Watch

ALL_OF_OURS = """
import importlib, importlib.metadata, pkgutil, sys

names = []
for found in importlib.metadata.distributions():
    if found.name.startswith("routeiq"):
        names.append(found.name.replace("-", "_"))
assert len(names) >= 16, names

def failed(name):
    raise SystemExit(f"{name} cannot be imported: {sys.exc_info()[1]}")

count = 0
for name in sorted(names):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + ".", failed):
        if not module.name.endswith(("__main__", ".migrations.env")):  # the latter is run by Alembic, in a migration
            importlib.import_module(module.name)
            count += 1
print(count)
"""
LITELLM = """
from routeiq.upstream import litellm_library
litellm_library.load()
"""


def run(watch: Watch, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(watch.environment), capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert watch.armed
    return done.stdout


@pytest.mark.timeout(300)
def test_no_module_of_ours_connects_or_starts_anything_when_it_is_imported(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "watch")
    assert int(run(watch, ALL_OF_OURS)) > 400
    assert watch.events() == []


@pytest.mark.timeout(300)
def test_litellm_connects_to_nothing_and_starts_nothing_when_it_is_imported(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "watch")
    run(watch, LITELLM)
    assert watch.events() == []


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import os; os.system('true')", "os.system"),
        ("import os; os.posix_spawn('/bin/true', ['true'], {})", "os.posix_spawn"),
        ("import os; os.fork() or os.execv('/bin/true', ['true'])", "os.exec"),
        ("import socket; socket.getaddrinfo('localhost', 80)", "socket.getaddrinfo"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
    ],
)
def test_the_watch_sees_what_it_is_for(tmp_path: Path, code: str, event: str) -> None:
    watch = Watch(tmp_path / "watch")
    run(watch, code)
    assert [line for line in watch.events() if line.startswith(f"{event} ")]
