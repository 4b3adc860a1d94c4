"""`routeiq migrate` and the schemas of plugins: which are asked, what is told, and the exit code.

The state store's own schema is migrated end to end in `tests/e2e/workers`.
"""

from __future__ import annotations

import json
from pathlib import Path

from routeiq_testkit.installed import PluginFolder

PLUGIN = """
from pathlib import Path
from typing import Any
from routeiq_sdk import Plugin, PluginConfig, Secret, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def teardown(self) -> None:
        pass

class Tables:
    name = "tables"

    def __init__(self) -> None:
        self.file = Path("revision")

    async def current(self, document: Any) -> tuple[str | None, str] | None:
        assert isinstance(document["general_settings"]["master_key"], Secret)
        if document["general_settings"].get("store_model_in_db"):
            return None
        return self.file.read_text() if self.file.exists() else None, "7"

    async def upgrade(self, document: Any) -> None:
        self.file.write_text("7")
"""
CONFIG = """
general_settings:
  master_key: os.environ/ROUTEIQ_MASTER_KEY
  store_model_in_db: {nothing}
routeiq:
  profile: minimal
  plugins: {{keeper: {{enabled: {enabled}}}}}
"""


def install(cli, folder: PluginFolder) -> None:
    folder.install("keeper", PLUGIN)
    points = next(folder.folder.glob("*.dist-info")) / "entry_points.txt"
    module = next(folder.folder.glob("fixture_*.py")).stem
    points.write_text(points.read_text() + f"[routeiq.migrations]\nkeeper = {module}:Tables\n")
    cli.env["PYTHONPATH"] = str(folder.folder)


async def test_a_plugin_that_runs_is_asked_and_migrated_once(cli, plugin_folder: PluginFolder) -> None:
    install(cli, plugin_folder)
    path = str(cli.write(CONFIG.format(nothing="false", enabled="true")))
    due = await cli.run("migrate", "--config", path, "--check")
    assert (due.code, due.out) == (1, "tables: without tables, needs 7\n")
    done = await cli.run("migrate", "--config", path, "--json")
    line = {"schema": "tables", "revision": "7", "needed": "7", "migrated": True}
    assert (done.code, json.loads(done.out)) == (0, {"ok": True, "schemas": [line]})
    again = await cli.run("migrate", "--config", path)
    assert (again.code, again.out) == (0, "tables: at revision 7, nothing to do\n")
    Path(cli.folder / "revision").write_text("6")
    old = await cli.run("migrate", "--config", path, "--check")
    assert (old.code, old.out) == (1, "tables: at revision 6, needs 7\n")


async def test_a_plugin_that_keeps_nothing_or_does_not_run_is_left_alone(cli, plugin_folder: PluginFolder) -> None:
    install(cli, plugin_folder)
    for nothing, enabled in (("true", "true"), ("false", "false")):
        path = str(cli.write(CONFIG.format(nothing=nothing, enabled=enabled)))
        done = await cli.run("migrate", "--config", path)
        assert (done.code, done.out) == (0, "nothing to migrate: no PostgreSQL database is configured\n")
    assert not Path(cli.folder / "revision").exists()
