"""`routeiq init`, `check` and `schema`: the first steps, and what a script can read."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import jsonschema
import pytest
import yaml

EXAMPLES = Path(__file__).parents[3] / "examples"
BAD = """\
model_list:
  - model_name: fast
    litellm_params:
      model: openai/scripted
      timeout: soon
general_settings:
  master_key: os.environ/NOBODY_SET_THIS
routeiq:
  profile: minimal
  limits:
    in_flite: 5
"""


async def test_init_writes_a_file_that_passes_check_and_a_key_that_only_its_owner_reads(cli) -> None:
    cli.env["OPENAI_API_KEY"] = "sk-a-provider-key-that-must-not-be-copied"
    del cli.env["ROUTEIQ_MASTER_KEY"]
    done = await cli.run("init")
    assert done.code == 0, done.err
    written, secret = (cli.folder / name for name in ("routeiq.yaml", ".env"))
    assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600
    assert "sk-a-provider-key" not in written.read_text() + secret.read_text() + done.out
    name, _, key = secret.read_text().strip().partition("=")
    assert re.fullmatch(r"sk-[\w-]{32,}", key)
    assert key not in done.out
    cli.env[name] = key
    checked = await cli.run("check", "--config", "routeiq.yaml")
    assert checked.code == 0, checked.err
    assert "openai/*" in checked.out
    assert "ok" in checked.out


async def test_init_refuses_to_overwrite_unless_told_to(cli) -> None:
    cli.write("mine: 1\n")
    done = await cli.run("init")
    assert done.code == 1
    assert "--force" in done.err
    assert "Traceback" not in done.err
    assert (cli.folder / "routeiq.yaml").read_text() == "mine: 1\n"
    assert not (cli.folder / ".env").exists()
    done = await cli.run("init", "--force", "--json")
    assert json.loads(done.out) == {"config": "routeiq.yaml", "env_file": ".env"}
    assert "model_list" in (cli.folder / "routeiq.yaml").read_text()


async def test_check_names_file_line_and_mend_of_every_problem_at_once(cli) -> None:
    path = cli.write(BAD)
    done = await cli.run("check", "--config", str(path))
    assert done.code == 1
    assert done.out == ""
    for line, words in ((5, "timeout"), (7, "NOBODY_SET_THIS"), (11, "in_flight")):
        assert re.search(rf"^{re.escape(str(path))}:{line}: .*{words}", done.err, re.MULTILINE), done.err
    assert "Mend:" in done.err
    assert "Traceback" not in done.err


async def test_check_tells_a_script_the_same(cli, minimal: str) -> None:
    path = cli.write(BAD)
    done = await cli.run("check", "--config", str(path), "--json")
    told = json.loads(done.out)
    assert (done.code, told["ok"], len(told["problems"])) == (1, False, 3)
    path = cli.write(minimal.format(base_url="http://127.0.0.1:9/v1"))
    done = await cli.run("check", "--config", str(path), "--json")
    told = json.loads(done.out)
    assert (done.code, told["ok"], told["problems"]) == (0, True, [])
    assert told["deployments"][0]["model"] == "fast"
    assert told["deployments"][0]["called_at"] == "http://127.0.0.1:9/v1"
    assert "sk-upstream-secret" not in done.out + done.err


async def test_strict_turns_hints_into_problems(cli, minimal: str) -> None:
    path = cli.write(minimal.format(base_url="http://127.0.0.1:9/v1") + "router_settings: {num_retry: 1}\n")
    assert (await cli.run("check", "--config", str(path))).code == 0
    done = await cli.run("check", "--config", str(path), "--strict")
    assert done.code == 1
    assert "num_retries" in done.err


async def test_the_schema_is_a_json_schema_and_the_examples_satisfy_it(cli) -> None:
    done = await cli.run("schema", "--no-plugins")
    assert done.code == 0, done.err
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    await cli.run("init")
    files = [cli.folder / "routeiq.yaml", EXAMPLES / "minimal.yaml"]
    for file in files:
        problems = [error.message for error in validator.iter_errors(yaml.safe_load(file.read_text()))]
        assert problems == [], file
    wrong = {"model_list": [], "routeiq": {"profile": "maximal"}}
    assert not validator.is_valid(wrong)


async def test_every_command_says_what_it_does(cli) -> None:
    done = await cli.run("--help")
    assert done.code == 0
    for command in ("init", "check", "serve", "schema", "plugins"):
        assert command in done.out
    assert (await cli.run("--version")).out.startswith("routeiq, version ")


@pytest.mark.parametrize("command", [("check",), ("serve",), ("plugins", "order")])
async def test_a_file_that_is_not_there_is_one_clear_message(cli, command: tuple[str, ...]) -> None:
    done = await cli.run(*command, "--config", "nowhere.yaml")
    assert done.code == 2
    assert "nowhere.yaml" in done.err
    assert "Traceback" not in done.err


async def test_listing_plugins_imports_none(cli) -> None:
    code = (
        "import sys\n"
        "from routeiq.cli.main import main\n"
        "sys.argv = ['routeiq', 'plugins', 'list', '--json']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "from importlib.metadata import entry_points\n"
        "groups = ('strategies', 'embedders', 'guards', 'auth', 'protocols', 'sinks', 'plugins')\n"
        "ours = {p.module for g in groups for p in entry_points(group=f'routeiq.{g}')}\n"
        "print('IMPORTED', sorted(ours & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = await cli.run(python=("-c", code))
    assert done.code == 0, done.err
    assert isinstance(json.loads(done.out), list)
    assert done.err.splitlines()[-1] == "IMPORTED []"
