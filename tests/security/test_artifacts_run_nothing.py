"""P1: hostile files, in every place that a router is read from: none runs, each is refused in one line, and the router
in use stays. A seventh of them here; all, which are more than a thousand, in the benchmark `sweeps`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from routeiq_routing_ml.artifact.keys import generate

from .hostile_models import corpus, dresses, pickles
from .trained_routers import custom_router, publish
from .watched import EXECUTIONS, Watch

HERE = Path(__file__).parent
LOOKED_UP = frozenset({"pickle.find_class"})


@pytest.mark.timeout(600)
def test_no_hostile_file_runs_anywhere_and_the_router_in_use_stays(tmp_path: Path, whole: bool) -> None:
    one_in = 1 if whole else 7
    watch = Watch(tmp_path / "watch", EXECUTIONS | LOOKED_UP)
    trial = tmp_path / "trial"
    publish(trial / "good", generate(trial / "keys"), custom_router())
    command = [sys.executable, str(HERE / "hostile_model_trial.py"), str(trial), str(watch.log), str(one_in)]
    done = subprocess.run(command, env=dict(watch.environment), capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["files"] > 1000 // one_in
    assert told["tries"] > 2.5 * told["files"]
    assert told["good again"]
    assert not (trial / "canary").exists()
    assert watch.armed
    assert watch.events() == [], "something was unpickled or started"


def test_the_hostile_files_are_alive(tmp_path: Path) -> None:
    """Each pickle, loaded by who should not, makes the canary: a corpus of duds would prove nothing."""
    canary = tmp_path / "canary"
    files = [data.hex() for _, data in pickles(canary)]
    code = (
        "import os, pickle, sys\n"
        "alive = 0\n"
        "for line in sys.stdin.read().split():\n"
        "    try: pickle.loads(bytes.fromhex(line))\n"
        "    except BaseException: pass\n"
        f"    alive += os.path.exists({str(canary)!r}) or os.path.exists({str(canary) + '.npy'!r})\n"
        f"    os.system('rm -f {canary} {canary}.npy')\n"
        "print(alive)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input="\n".join(files), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 0.8 * len(files)


def test_the_corpus_has_every_family(tmp_path: Path) -> None:
    names = [name for name, _ in corpus(tmp_path / "canary")]
    assert len(names) == len(set(names)) > 1000
    for family in (*(f".{dress}" for dress in dresses()), "joblib/", "skops/", "safetensors/", "resolve/", "/popped"):
        assert any(family in name for name in names), family
