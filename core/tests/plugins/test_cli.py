"""`routeiq plugins`: readable tables, JSON on request, one clear message on stderr and exit code 1 on problems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from routeiq.cli.plugins import plugins

KEY = "s3cret-master-key-of-the-tests-0"
GATED = "class It(Plugin):\n    @hookimpl\n    async def {hook}(self, ctx): ..."


@pytest.fixture
def yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROUTEIQ_MASTER_KEY", KEY)

    def write(block: str, profile: str = "minimal") -> str:
        path = tmp_path / "routeiq.yaml"
        path.write_text(
            "general_settings: {master_key: os.environ/ROUTEIQ_MASTER_KEY}\n"
            f"routeiq:\n  profile: {profile}\n  plugins: {block}\n"
        )
        return str(path)

    return write


def run(*arguments: str) -> Result:
    return CliRunner().invoke(plugins, list(arguments))


def rows(*arguments: str) -> dict[str, dict[str, str]]:
    done = run("list", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_list_shows_what_the_configuration_makes_of_each_plugin(site, yaml) -> None:
    for name in ("used", "unused", "off"):
        site.install(name, GATED.format(hook="admit"), kind="guards")
    site.install("twice", "raise RuntimeError")
    site.install("twice", "raise RuntimeError", distribution="other-twice")
    listed = rows("--config", yaml("{used: {}, off: {enabled: false}, gone: {}}", profile="standard"))
    assert listed["used"] == {
        "name": "used",
        "kind": "guards",
        "distribution": "routeiq-used",
        "version": "1.0",
        "state": "named",
    }
    states = {name: listed[name]["state"] for name in ("unused", "off", "twice", "gone")}
    assert states == {"unused": "installed", "off": "off", "twice": "duplicate", "gone": "missing"}
    assert listed["governance"]["state"] in ("profile", "absent")


def test_list_prints_a_table(site) -> None:
    site.install("used", "raise RuntimeError")
    output = run("list").output
    assert "distribution" in output
    assert "routeiq-used" in output


def test_list_imports_no_plugin_and_nothing_heavy(site, yaml) -> None:
    site.install("bomb", "raise RuntimeError('imported')")
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(site.folder)!r})\n"
        "from routeiq.cli.plugins import plugins\n"
        "try:\n"
        f"    plugins(['list', '--config', {yaml('{bomb: {}}')!r}])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'aiohttp', 'litellm', 'sklearn', 'joblib', 'redis', 'sqlalchemy', 'starlette', 'hypercorn'}\n"
        "print(sorted(heavy & sys.modules.keys()), 'routeiq_bomb' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] False"


def test_order_prints_the_plugins_of_each_gate(site, yaml) -> None:
    for name in ("one", "two"):
        site.install(name, GATED.format(hook="guard_request"))
    file = yaml("{one: {after: [two]}, two: {}}")
    assert json.loads(run("order", "--config", file, "--json").stdout)["gates"] == {"guard_request": ["two", "one"]}
    assert "two → one" in run("order", "--config", file).output


def test_order_names_a_cycle(site, yaml) -> None:
    for name in ("one", "two"):
        site.install(name, GATED.format(hook="admit"))
    done = run("order", "--config", yaml("{one: {after: [two], before: [two]}, two: {}}"))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "cycle" in done.stderr


def test_check_shows_every_problem_and_how_far_each_plugin_came(site, yaml) -> None:
    site.install("good", GATED.format(hook="admit"))
    site.install("typo", GATED.format(hook="admitt"))
    site.install("crash", "1 / 0")
    file = yaml("{good: {}, typo: {}, crash: {}, gone: {}, worse: {nope: 1}}")
    site.install("worse", GATED.format(hook="admit"))
    done = run("check", "--config", file, "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["ok"] is False
    came = {one["name"]: one["passed"][-1:] for one in report["plugins"]}
    assert came == {
        "good": ["constructs"],
        "typo": ["API version"],
        "crash": ["allowed"],
        "gone": [],
        "worse": ["hooks"],
    }
    assert report["plugins"][0]["hooks"] == ["admit"]
    for text in ("did you mean 'admit'", "ZeroDivisionError", "pip install routeiq-gone", "nope is an unknown key"):
        assert text in done.stderr


def test_check_names_the_line_of_a_bad_value(site, yaml) -> None:
    site.install("worse", GATED.format(hook="admit"))
    file = yaml("\n    worse:\n      nope: 1")
    assert f"{file}:6: routeiq.plugins.worse.nope" in run("check", "--config", file).stderr


def test_check_is_content_with_a_good_configuration(site, yaml) -> None:
    site.install("good", GATED.format(hook="admit"))
    done = run("check", "--config", yaml("{good: {}}"))
    assert done.exit_code == 0, done.output
    assert "✗" not in done.output


def test_check_applies_the_allow_list(site, yaml) -> None:
    site.install("good", GATED.format(hook="admit"))
    file = yaml("{good: {}}\n  plugin_policy: {allow: [{distribution: routeiq-good, version: '>=2'}]}")
    assert "is not in routeiq.plugin_policy.allow" in run("check", "--config", file).stderr


def test_lock_records_what_would_run(site, yaml, tmp_path: Path) -> None:
    site.install("good", GATED.format(hook="admit"))
    site.install("unused", GATED.format(hook="admit"))
    out = tmp_path / "my.lock"
    done = run("lock", "--config", yaml("{good: {}}"), "--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(out.read_text())
    assert list(json.loads(out.read_text())["plugins"]) == ["good"]


def test_new_writes_a_project_and_says_what_is_next(tmp_path: Path) -> None:
    done = run("new", "my-sink", "--kind", "sink", "--dir", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "pytest" in done.output
    assert (tmp_path / "my-sink" / "pyproject.toml").exists()
    again = run("new", "my-sink", "--dir", str(tmp_path))
    assert (again.exit_code, again.stdout) == (1, "")
    assert "there already" in again.stderr


@pytest.mark.parametrize("command", ["list", "order", "check", "lock"])
def test_a_bad_file_is_one_clear_message(command: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("routeiq: {profile: [}")
    done = run(command, "--config", str(path))
    assert done.exit_code == 1
    assert "bad.yaml" in done.stderr
    assert "Traceback" not in done.output
