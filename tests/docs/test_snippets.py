"""Snippets do what the page says: Python runs, YAML loads, commands exist and take their options."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import types
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pages import PAGES, ROOT, Snippet, commands, of_page, snippets
from reference_blocks.routes import core_routes

from routeiq.cli.main import cli
from routeiq.config import loads
from routeiq.config.vault import VaultReader
from routeiq.plugins.select import PROFILES
from routeiq.routes.table import RouteTable
from routeiq_sdk import Plugin
from routeiq_sdk.hooks.implementations import implementations
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

PYTHON = snippets("python")
CLIENTS = [snippet for snippet in PYTHON if snippet.mark == "runs with a gateway"]
PLUGINS = [snippet for snippet in PYTHON if snippet.mark.startswith("a whole plugin: ")]
FILES = [snippet for snippet in PYTHON if snippet.mark.startswith("file: ")]  # their tutorial has a test of its own
ALONE = [snippet for snippet in PYTHON if not snippet.mark]
KEY = "sk-41c7d9e2f05b38a6"
_CLIENT_SECONDS = 30.0


def test_every_python_snippet_is_used_in_one_of_the_known_ways() -> None:
    known = [*CLIENTS, *PLUGINS, *FILES, *ALONE]
    assert [str(snippet) for snippet in PYTHON if snippet not in known] == []
    assert CLIENTS
    assert PLUGINS
    assert ALONE


@pytest.mark.parametrize("snippet", [*ALONE, *PLUGINS], ids=str)
def test_a_snippet_runs_and_its_plugins_are_sound(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)  # pydantic looks a class's names up in its module
    exec(compile(snippet.text, str(snippet), "exec"), module.__dict__)
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == "snippet":
            assert implementations(value), "a plugin without hooks does nothing"
            value(value.Config())


@pytest.mark.parametrize("snippet", CLIENTS, ids=str)
async def test_a_client_snippet_gets_its_answer(
    snippet: Snippet, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    rows = [openai_row("swift", scripted_upstream.base_url)]
    running = await gateway({"model_list": rows, "routeiq": {"virtual_models": {"auto": {"models": ["swift"]}}}})
    code = snippet.text.replace("http://127.0.0.1:4000", running.url)
    assert code != snippet.text
    environment = {**os.environ, "ROUTEIQ_MASTER_KEY": running.key}
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_CLIENT_SECONDS):
        out, err = await client.communicate()
    assert client.returncode == 0, err.decode()
    assert out.strip()


@pytest.mark.parametrize("snippet", PLUGINS, ids=str)
async def test_the_guard_of_the_readme_guards(
    snippet: Snippet, gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    name = snippet.mark.removeprefix("a whole plugin: ")
    attribute = "".join(word.capitalize() for word in name.split("-"))
    plugin_folder.install(name, snippet.text, kind="guard", attribute=attribute)
    rows = [openai_row("fast", scripted_upstream.base_url)]
    running = await gateway({"model_list": rows, "routeiq": {"plugins": {name: {}}}})
    refused, _, body = await running.chat("fast", "here: -----BEGIN PRIVATE KEY-----")
    passed, _, _ = await running.chat("fast", "here: nothing special")
    assert (refused, passed) == (400, 200)
    assert "private key" in body["error"]["message"]
    assert len(scripted_upstream.requests) == 1


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=str)
def test_a_yaml_snippet_loads_without_a_warning(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VaultReader, "field", lambda reader, reference: KEY)  # the server of the page is nowhere
    document = {"general_settings": {"master_key": "os.environ/ROUTEIQ_MASTER_KEY"}}
    if snippet.mark == "added to the one above":
        above = [other for other in snippets("yaml") if other.page == snippet.page and other.line < snippet.line]
        document = yaml.safe_load(above[-1].text)
    text = yaml.safe_dump(_merged(document, yaml.safe_load(snippet.text)))
    environment = dict.fromkeys(re.findall(r"os\.environ/(\w+)", text), KEY)
    config = loads(text, str(snippet), environment)
    assert [str(notice) for notice in config.notices if notice.level == "warning"] == []
    loaded = {*config.routeiq.plugins, *PROFILES[config.routeiq.profile]}
    assert [key for key in config.protective if key.needs_plugin not in loaded] == []


def _merged(document: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    both = {name for name, value in added.items() if isinstance(value, dict) and isinstance(document.get(name), dict)}
    return {**document, **added, **{name: _merged(document[name], added[name]) for name in both}}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(snippet.language == "console" for snippet in of_page(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTEIQ_MASTER_KEY", KEY)
    told = [line for snippet in of_page(page) if snippet.language == "console" for line in commands(snippet)]
    assert told, "a console snippet shows a command"
    if "routeiq init" not in "\n".join(told):
        # Without the profile's plugins: here they are installed editable, which a lock refuses.
        Path("routeiq.yaml").write_text(
            "general_settings: {master_key: os.environ/ROUTEIQ_MASTER_KEY}\nrouteiq: {profile: minimal}\n"
        )
    for line in told:
        words = shlex.split(line, comments=True)
        check = {"routeiq": _routeiq, "curl": _curl, "python": _python, "python3": _python, "pip": _pip}.get(words[0])
        if check is not None:
            check(words[1:])


def _routeiq(words: list[str]) -> None:
    if words[0] == "serve":  # it would serve until told to stop; that it takes these options is what can be said here
        command = cli.get_command(cli.make_context("routeiq", [], resilient_parsing=True), "serve")
        assert command is not None
        command.make_context("serve", words[1:]).close()
        return
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, f"routeiq {' '.join(words)}: {result.output} {result.exception}"


def _curl(words: list[str]) -> None:
    (url,) = [word for word in words if word.startswith("http://127.0.0.1:4000")]
    table = RouteTable()
    for route in core_routes():
        table.add(route)
    assert table.match(url.removeprefix("http://127.0.0.1:4000")) is not None, f"nothing is served at {url}"


def _python(words: list[str]) -> None:
    if words[0] == "-m":
        assert find_spec(words[1]) is not None
    elif words[0].endswith(".py"):
        assert (ROOT / words[0]).is_file(), f"{words[0]} is missing"


def _pip(words: list[str]) -> None:
    for word in words[1:]:
        named = re.fullmatch(r"routeiq\[(\w+)\]", word)
        if named:
            assert named[1] in (metadata("routeiq").get_all("Provides-Extra") or [])


def test_named_sessions_of_nox_exist() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = {word for match in re.finditer(r"nox -s ([a-z ]+)`", text) for word in match[1].split()}
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= sessions
