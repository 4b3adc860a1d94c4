"""Engines are found by entry point: by name alone, importing nothing else, and failing with the mend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from routeiq.server.engine import check_exposure, engine_names, find_engine
from routeiq.server.settings import ServerSettings
from routeiq_sdk.errors import ConfigError

ADAPTERS = "routeiq.server.hypercorn", "routeiq.server.uvicorn", "routeiq.server.granian"


def run_python(code: str, *paths: Path) -> str:
    """In a fresh interpreter, so that what was imported can be told."""
    lead = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n"
    done = subprocess.run([sys.executable, "-c", lead + code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_three_shipped_engines_are_found() -> None:
    assert {"hypercorn", "uvicorn", "granian"} <= set(engine_names())
    for name in ("hypercorn", "uvicorn", "granian"):
        assert find_engine(name).name == name


def test_finding_one_engine_imports_no_other_and_no_server_library() -> None:
    code = "from routeiq.server.engine import find_engine; find_engine('hypercorn'); print(*sys.modules)"
    modules = set(run_python(code).split())
    assert modules & set(ADAPTERS) == {"routeiq.server.hypercorn"}
    assert not modules & {"hypercorn", "uvicorn", "granian"}


def test_an_unknown_engine_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'gunicorn' is not installed.*granian, hypercorn, uvicorn"):
        find_engine("gunicorn")


def declare_engine(folder: Path, distribution: str, line: str) -> None:
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[routeiq.engines]\n{line}\n")


def test_an_engine_whose_library_is_missing_names_its_extra(tmp_path: Path) -> None:
    declare_engine(tmp_path, "other", "swift = swift_engine:Swift")
    (tmp_path / "swift_engine.py").write_text("class Swift:\n    name = 'swift'; requires = 'no_such_library'\n")
    code = (
        "from routeiq.server.engine import find_engine\n"
        "try: find_engine('swift')\n"
        "except Exception as error: print(error)"
    )
    assert 'pip install "routeiq[swift]"' in run_python(code, tmp_path)


def test_an_engine_claimed_twice_is_refused_naming_both(tmp_path: Path) -> None:
    declare_engine(tmp_path, "squatter", "hypercorn = squatter:Engine")
    code = (
        "from routeiq.server.engine import find_engine\n"
        "try: find_engine('hypercorn')\n"
        "except Exception as error: print(error)"
    )
    assert "claimed by several distributions: routeiq, squatter" in run_python(code, tmp_path)


def test_exposure_is_judged_before_anything_is_bound() -> None:
    uvicorn = find_engine("uvicorn")
    check_exposure(uvicorn, ServerSettings(host="127.0.0.1"))
    check_exposure(uvicorn, ServerSettings(host="0.0.0.0", behind_proxy=True))
    with pytest.raises(ConfigError, match="behind_proxy"):
        check_exposure(uvicorn, ServerSettings(host="0.0.0.0"))
