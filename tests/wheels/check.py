"""Build all wheels, look inside them, install core and one plugin into a clean environment, and serve a request there.

It runs outside the workspace's environments: what an installation misses, or what a wheel should not hold, shows here.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "sk-wheels-7c1e90d4b2f85a36"
PLUGIN = "routeiq-routing-rules"
LEARNING = "routeiq-routing-ml"
CONFIG = """\
model_list:
  - {model_name: canned, litellm_params: {model: openai/canned, mock_response: served from wheels}}
  - {model_name: other, litellm_params: {model: openai/other, mock_response: not this one}}
general_settings: {master_key: os.environ/ROUTEIQ_MASTER_KEY}
routeiq:
  profile: minimal
  virtual_models: {auto: {models: [other, canned]}}
  plugins:
    routing-rules: {default: canned}
"""
_FORBIDDEN = re.compile(r"(^|/)(tests?|bench|__pycache__|\.git|data)/|\.(pyc|yaml|gz|npy)$|(^|/)conftest\.py$")
_OURS = re.compile(r"/template/|^routeiq_guard_content/categories/[a-z_]+\.yaml$")
"""What looks like data of somebody's and is the product's own."""
_INDEX = re.compile(r"https?://[^\s\"']*(simple|pypi)", re.IGNORECASE)


def main() -> None:
    """All steps; a failure ends with one message."""
    with tempfile.TemporaryDirectory(prefix="routeiq-wheels-") as scratch:
        dist = Path(scratch) / "dist"
        for project in _projects():
            _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(project)])
        found = sorted(dist.glob("*.whl"))
        for wheel in found:
            _look_inside(wheel)
        print(f"{len(found)} wheels built, nothing in them that does not belong")
        _try_out(Path(scratch), dist)


def _projects() -> list[Path]:
    return [
        ROOT / "plugin_sdk",
        ROOT / "core",
        *sorted(p.parent for p in ROOT.glob("plugins/*/pyproject.toml")),
        ROOT / "tests" / "testkit",
    ]


def _look_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        wrong = [name for name in names if _FORBIDDEN.search(name) and not _OURS.search(name)]
        if wrong and not wheel.name.startswith("routeiq_testkit"):
            raise SystemExit(f"{wheel.name} holds what does not belong: {wrong}")
        if not any(name.endswith("py.typed") for name in names):
            raise SystemExit(f"{wheel.name} has no py.typed")
        metadata = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
        if "License-Expression: Apache-2.0" not in metadata:
            raise SystemExit(f"{wheel.name} names no licence")
        for name in names:
            if name.endswith((".py", ".toml", "METADATA")) and _INDEX.search(archive.read(name).decode()):
                raise SystemExit(f"{wheel.name}: {name} records the address of a package index")


def _try_out(scratch: Path, dist: Path) -> None:
    home = scratch / "venv"
    venv.create(home, with_pip=True)
    python, routeiq = home / "bin" / "python", home / "bin" / "routeiq"
    _run(
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--find-links",
            str(dist),
            "routeiq",
            PLUGIN,
            LEARNING,
        ]
    )
    clean = {"PATH": os.environ["PATH"], "HOME": str(scratch), "ROUTEIQ_MASTER_KEY": KEY}
    listed = json.loads(_run([str(routeiq), "plugins", "list", "--json"], cwd=scratch, env=clean))
    if "routing-rules" not in json.dumps(listed):
        raise SystemExit(f"the installed plugin is not listed: {listed}")
    (scratch / "routeiq.yaml").write_text(CONFIG, encoding="utf-8")
    _run([str(routeiq), "check", "--config", "routeiq.yaml"], cwd=scratch, env=clean)
    _serve(routeiq, scratch, clean)
    _learn(routeiq, scratch, clean)
    print("installed from wheels: listed, checked, served, trained and measured")


def _learn(routeiq: Path, scratch: Path, clean: dict[str, str]) -> None:
    """The shortest life of a router: outcomes of two models that are good at different things, trained and measured."""
    rng = random.Random(1)
    rows = []
    for number in range(500):
        code = rng.random() < 0.5
        query = f"def solve_{number}(xs): return sorted(xs)" if code else f"Tell me a story about ship number {number}."
        scores = {"coder": float(rng.random() < (0.9 if code else 0.3)), "poet": float(rng.random() < 0.6)}
        rows.append(json.dumps({"query": query, "scores": scores, "cost": {"coder": 1e-3, "poet": 2e-3}}))
    (scratch / "outcomes.jsonl").write_text("\n".join(rows), encoding="utf-8")
    train = ["route", "train", "--data", "outcomes.jsonl", "--strategy", "ridge", "--embedder", "hashing"]
    _run([str(routeiq), *train, "--out", "router", "--json"], cwd=scratch, env=clean)
    evaluate = ["route", "evaluate", "--artifact", "router", "--data", "outcomes.jsonl", "--json"]
    told = json.loads(_run([str(routeiq), *evaluate], cwd=scratch, env=clean))
    if not told["quality"] > told["best_single"]:
        raise SystemExit(f"the trained router gains nothing: {told}")


def _serve(routeiq: Path, scratch: Path, clean: dict[str, str]) -> None:
    command = [str(routeiq), "serve", "--config", "routeiq.yaml", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=scratch, env=clean, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            answer = _ask(json.loads(served.stdout.readline())["listening"])
            if answer["choices"][0]["message"]["content"] != "served from wheels":
                raise SystemExit(f"a wrong answer: {answer}")
        finally:
            served.terminate()
        if served.wait(30) != 0:
            raise SystemExit(f"serve ended with {served.returncode}")


def _ask(url: str) -> dict[str, object]:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"this failed: {' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
