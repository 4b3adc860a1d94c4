"""An audit that could not be made never looks like a good one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from audit import CLEAN, FOUND, NOT_CHECKED, audit, batches, verdict

HOLE = {"id": "CVE-1", "fix_versions": ["2"]}


def row(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "vulns": [], **more}


@pytest.mark.parametrize(
    ("rows", "asked", "code", "says"),
    [
        ([row()], 1, CLEAN, "no known hole"),
        ([row(vulns=[HOLE])], 1, FOUND, "a 1: CVE-1, mended in 2"),
        ([row(vulns=[HOLE | {"fix_versions": []}])], 1, FOUND, "mended in no release"),
        ([row(), {"name": "b", "skip_reason": "not found"}], 2, NOT_CHECKED, "NOT CHECKED: b: not found"),
        ([row()], 2, NOT_CHECKED, "1 of 2"),
        ([], 1, NOT_CHECKED, "1 of 1"),
        (["a"], 1, NOT_CHECKED, "a form that is not known"),
        (None, 1, NOT_CHECKED, "a form that is not known"),
    ],
)
def test_what_was_not_asked_is_not_clean(rows: Any, asked: int, code: int, says: str) -> None:
    got, lines = verdict({"dependencies": rows}, asked)
    assert (got, says in "\n".join(lines)) == (code, True)


def lock(folder: Path, text: str = "a==1 \\\n    --hash=sha256:00\n") -> Path:
    path = folder / "routeiq.lock"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "tool",
    [
        ("/nowhere/pip-audit",),
        (sys.executable, "-c", "import sys; sys.exit('ConnectionError: name resolution failed')"),
        (sys.executable, "-c", "print('<html>')"),
        (sys.executable, "-c", "print('[]')"),
        (sys.executable, "-c", "print('{}')"),
        (sys.executable, "-c", ""),
    ],
)
def test_a_tool_that_cannot_answer_is_told_and_fails(tmp_path: Path, tool: tuple[str, ...]) -> None:
    code, lines = audit(lock(tmp_path), tool)
    assert code == NOT_CHECKED
    assert all(line.startswith("NOT CHECKED") for line in lines)


def test_an_empty_lock_is_not_clean(tmp_path: Path) -> None:
    assert audit(lock(tmp_path, "routeiq==0.1.0 \\\n    --hash=sha256:00\n"))[0] == NOT_CHECKED


def test_a_tool_that_answers_is_believed(tmp_path: Path) -> None:
    answer = json.dumps({"dependencies": [row()]})
    assert audit(lock(tmp_path), (sys.executable, "-c", f"print({answer!r})"))[0] == CLEAN


def test_a_name_with_two_pins_is_asked_for_twice_and_ours_not_at_all() -> None:
    text = "a==1 \\\n  --hash\na==2 ; python_version > '3'\nb==1 \\\n  --hash\nrouteiq-sdk==0.1.0 \\\n"
    assert batches(text) == [["a==1", "b==1"], ["a==2"]]
