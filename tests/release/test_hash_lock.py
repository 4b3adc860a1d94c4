"""The hash lock installs these wheels and no others, and records no address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import hash_lock
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    for project in ("plugin_sdk", "plugins/routing-rules"):
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist)]
        subprocess.run(command, cwd=ROOT / project, check=True, capture_output=True, timeout=120)
    return dist


@pytest.fixture
def dist(built: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "dist"
    copy.mkdir()
    for wheel in built.glob("*.whl"):
        (copy / wheel.name).write_bytes(wheel.read_bytes())
    return copy


def install(dist: Path, lock: Path, target: Path) -> subprocess.CompletedProcess[str]:
    how = ("--require-hashes", "--no-deps", "--no-index", "--find-links", str(dist), "--target", str(target))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *how, "-r", str(lock)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_wheels_are_installed_by_their_digests(dist: Path, tmp_path: Path) -> None:
    lock = tmp_path / "routeiq.lock"
    lock.write_text(hash_lock.checked("\n".join(hash_lock.own_lines(dist.glob("*.whl")))))
    done = install(dist, lock, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "routeiq_sdk" / "__init__.py").exists()
    assert (tmp_path / "site" / "routeiq_routing_rules" / "plugin.py").exists()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_byte_of_a_wheel_is_refused(dist: Path, tmp_path: Path, place: float) -> None:
    lock = tmp_path / "routeiq.lock"
    lock.write_text("\n".join(hash_lock.own_lines(dist.glob("*.whl"))))
    wheel = next(dist.glob("routeiq_routing_rules*.whl"))
    data = bytearray(wheel.read_bytes())
    data[int(len(data) * place)] ^= 1
    wheel.write_bytes(data)
    done = install(dist, lock, tmp_path / "site")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "site" / "routeiq_routing_rules").exists()


def test_what_the_lock_does_not_list_is_not_installed(dist: Path, tmp_path: Path) -> None:
    lock = tmp_path / "routeiq.lock"
    lock.write_text("\n".join([*hash_lock.own_lines(dist.glob("routeiq_sdk*.whl")), "routeiq-routing-rules==0.1.0"]))
    done = install(dist, lock, tmp_path / "site")
    assert done.returncode != 0
    assert "require-hashes" in done.stderr


PIN = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        f"--index-url https://example.invalid/simple\n{PIN}",
        f"-i example\n{PIN}",
        f"--find-links /wheels\n{PIN}",
        f"{PIN}b @ https://example.invalid/b.whl \\\n    --hash=sha256:00\n",
        f"# from https://example.invalid\n{PIN}",
        f"{PIN}b==2\n",
        "a==1",
    ],
)
def test_a_lock_with_an_address_or_without_a_digest_is_not_written(text: str) -> None:
    with pytest.raises(SystemExit, match=r"address|no digest"):
        hash_lock.checked(text)


def test_what_an_index_says_of_our_own_counts_for_nothing() -> None:
    text = PIN + PIN.replace("a==1", "routeiq==0.1.0") + PIN.replace("a==1", "routeiq-x[y]==0.1.0 ; extra")
    assert hash_lock.without(text, {"routeiq", "routeiq-x"}).strip() == PIN.strip()


_LOCK = re.compile(r"(uv|poetry|Pipfile)\.lock|pylock[\w.]*\.toml|requirements[\w.-]*\.txt|routeiq[\w.]*\.lock")


def test_no_lock_lies_in_the_repository() -> None:
    """They are made for each release; one that records an index would send others there."""
    places = (ROOT, *(ROOT / name for name in ("core", "plugin_sdk", "tests")), *ROOT.glob("plugins/*"))
    assert [path for place in places for path in place.iterdir() if _LOCK.fullmatch(path.name)] == []
