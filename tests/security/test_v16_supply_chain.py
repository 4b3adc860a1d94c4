"""V16: a compromised release, a planted start-up file or one changed byte of a locked plugin stops a real start."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest

from .environments import KEY, Environment, bare_environment, build_wheel

EX_CONFIG = 78
CONFIG = """\
model_list:
  - {model_name: canned, litellm_params: {model: openai/canned, mock_response: hello}}
general_settings: {master_key: os.environ/ROUTEIQ_MASTER_KEY}
routeiq:
  profile: minimal
  virtual_models: {auto: {models: [canned]}}
  plugins: {routing-rules: {default: canned}}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel("plugins/routing-rules", tmp_path_factory.mktemp("dist"))


@pytest.fixture
def environment(tmp_path: Path, wheel: Path) -> Environment:
    made = Environment(tmp_path / "environment")
    made.install(wheel)
    (made.folder / "routeiq.yaml").write_text(CONFIG)
    return made


def serve(environment: Environment, *options: str) -> tuple[int, str]:
    """The exit status of `serve --locked` and what it said; it is told to stop when it listens."""
    command = ["-m", "routeiq", "serve", "--config", "routeiq.yaml", "--port", "0", "--json", *options]
    with subprocess.Popen(
        [str(environment.python), *command],
        cwd=environment.folder,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        listening = process.stdout.readline()
        if listening:
            process.terminate()
        _, said = process.communicate(timeout=60)
    return process.returncode, said + listening


def lock(environment: Environment, *options: str) -> subprocess.CompletedProcess[str]:
    return environment.routeiq("plugins", "lock", "--config", "routeiq.yaml", "--out", "plugins.lock", *options)


LOCKED = ("--locked", "plugins.lock")


def test_a_compromised_release_stops_check_and_serve_and_is_named(environment: Environment) -> None:
    info = environment.site / "litellm-1.82.8.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 1.82.8\n")
    checked = environment.routeiq("check", "--config", "routeiq.yaml", "--json")
    plugins = environment.routeiq("plugins", "check", "--config", "routeiq.yaml", "--json")
    status, said = serve(environment)
    assert (checked.returncode, plugins.returncode, status) == (1, 1, EX_CONFIG)
    for text in (*json.loads(checked.stdout)["problems"], plugins.stderr, said):
        assert re.search(r"litellm 1\.82\.8 .*compromised.*PYSEC-2026-2.*Mend: uninstall it, replace every key", text)


def test_a_planted_start_up_file_runs_is_listed_and_stops_a_locked_start(environment: Environment) -> None:
    assert lock(environment).returncode == 0
    canary = environment.folder / "canary"
    planted = environment.site / "harmless_looking.pth"
    planted.write_text(f"import os; open({str(canary)!r}, 'w').close()\n")

    told = json.loads(environment.routeiq("plugins", "check", "--config", "routeiq.yaml", "--json").stdout)
    assert canary.exists(), "a .pth that runs nothing would prove nothing"
    (row,) = [row for row in told["start_up_code"] if row["verdict"] != "known"]
    assert row["path"] == str(planted)
    assert row["says"].startswith("import os; open(")
    assert any("harmless_looking.pth" in notice and "delete it" in notice for notice in told["notices"])

    status, said = serve(environment, *LOCKED)
    assert status == EX_CONFIG
    assert "harmless_looking.pth runs code at each start of Python" in said

    refused = lock(environment)
    assert refused.returncode != 0
    assert "--accept" in refused.stderr
    assert lock(environment, "--accept", planted.name).returncode == 0
    assert serve(environment, *LOCKED)[0] == 0
    planted.write_text(planted.read_text() + "import sys\n")
    assert serve(environment, *LOCKED)[0] == EX_CONFIG


def test_a_sitecustomize_stops_a_locked_start(environment: Environment) -> None:
    assert lock(environment).returncode == 0
    (environment.site / "sitecustomize.py").write_text("import os\n")
    status, said = serve(environment, *LOCKED)
    assert status == EX_CONFIG
    assert "sitecustomize" in said


def test_one_changed_byte_of_a_locked_plugin_stops_the_start(environment: Environment) -> None:
    assert lock(environment).returncode == 0
    assert serve(environment, *LOCKED)[0] == 0
    package = environment.site / "routeiq_routing_rules"
    files = [file for file in sorted(package.rglob("*")) if file.is_file() and file.suffix != ".pyc"]
    files += [environment.site / "routeiq_routing_rules-0.1.0.dist-info" / "entry_points.txt"]
    assert len(files) > 3
    check = ("check", "--config", "routeiq.yaml", *LOCKED)
    for file in (max(files, key=lambda one: one.stat().st_size), package / "py.typed", files[-1]):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content else b"\n")
        refused = environment.routeiq(*check)
        assert refused.returncode == 1, file
        assert "routing-rules" in refused.stderr
        assert (
            "routeiq plugins lock" in refused.stderr or "reinstall" in refused.stderr or "pip install" in refused.stderr
        )
        file.write_bytes(content)
    assert environment.routeiq(*check).returncode == 0


@pytest.mark.parametrize("way", ["a package over a module", "a compiled copy"])
def test_code_beside_the_locked_files_is_not_run(environment: Environment, way: str) -> None:
    assert lock(environment).returncode == 0
    package = environment.site / "routeiq_routing_rules"
    canary = environment.folder / "canary"
    payload = f"\nopen({str(canary)!r}, 'w').close()\n"
    module = package / "plugin.py"
    assert module.exists()
    if way == "a package over a module":
        (package / "plugin").mkdir()
        (package / "plugin" / "__init__.py").write_text(module.read_text() + payload)
    else:
        (environment.folder / "evil.py").write_text(module.read_text() + payload)
        compiled = (
            "import importlib.util as u, py_compile as p; "
            f"p.compile('evil.py', u.cache_from_source({str(module)!r}), "
            "invalidation_mode=p.PycInvalidationMode.UNCHECKED_HASH)"
        )
        assert environment.run("-c", compiled).returncode == 0
    status, said = serve(environment, *LOCKED)
    assert not canary.exists()
    assert (status, "not a file that the lock covers" in said) in ((EX_CONFIG, True), (0, False))
    serve(environment)
    assert canary.exists(), "an unlocked start runs it, or the attack is none"


async def test_several_workers_look_at_a_reload_under_the_lock_too(environment: Environment) -> None:
    """The process that looks at the new configuration imports plugins as well."""
    assert lock(environment).returncode == 0
    command = ["-m", "routeiq", "serve", "--config", "routeiq.yaml", "--port", "0", "--json", "--workers", "2", *LOCKED]
    process = await asyncio.create_subprocess_exec(
        str(environment.python),
        *command,
        cwd=environment.folder,
        env={**bare_environment(), "ROUTEIQ_MASTER_KEY": KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            assert b"listening" in await process.stdout.readline()
            canary = environment.folder / "canary"
            module = environment.site / "routeiq_routing_rules" / "plugin.py"
            module.write_text(f"{module.read_text()}\nopen({str(canary)!r}, 'w').close()\n")
            process.send_signal(1)
            while b"reload refused" not in (line := await process.stderr.readline()):
                assert line, "it ended"
        assert b"differs from" in line
        assert not canary.exists()
    finally:
        process.terminate()
        await process.communicate()
