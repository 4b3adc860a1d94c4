"""`routeiq import litellm`: a table of what came over, and one line when it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from routeiq.config import load
from routeiq_governance.commands.importing import import_
from routeiq_governance.store.migrating import GovernanceMigrations
from routeiq_testkit.servers import PostgresServer

TOKEN = hashlib.sha256(b"sk-old").hexdigest()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routeiq.yaml"
    path.write_text(
        "general_settings: {master_key: sk-a-master-key-of-the-tests-1234}\n"
        f"routeiq: {{data_dir: {tmp_path / 'data'}}}\n"
    )
    return path


async def run(config: Path, *words: str, reader: Any = None, **environment: str) -> Result:
    arguments = ["litellm", "--config", str(config), *words]
    reader = reader or (lambda path: load(path).written)
    return await asyncio.to_thread(
        CliRunner().invoke, import_, arguments, env={"COLUMNS": "200", **environment}, obj=reader
    )


async def litellm_database(postgres: PostgresServer) -> str:
    url = await postgres.database()
    statements = (
        'CREATE TABLE "LiteLLM_VerificationToken" ("token" TEXT PRIMARY KEY, "key_alias" TEXT, "team_id" TEXT, '
        '"models" TEXT[]); '
        f"INSERT INTO \"LiteLLM_VerificationToken\" VALUES ('{TOKEN}', 'old', NULL, '{{}}'), "
        "('x', 'gone', 'nowhere', '{}')"
    )
    await postgres.execute(statements, url)
    return url


async def test_an_operator_sees_what_came_over_and_what_did_not(postgres: PostgresServer, config: Path) -> None:
    url = await litellm_database(postgres)
    told = await run(config, "--from", url, "--dry-run")
    assert told.exit_code == 0, told.output
    assert "would be imported" in told.stdout
    done = await run(config, LITELLM_DATABASE_URL=url)
    assert done.exit_code == 0, done.output
    assert "keys" in done.stdout
    assert "gone" in done.stdout
    assert "SHA-256" in done.stdout
    again = json.loads((await run(config, "--from", url, "--json")).stdout)
    assert again["imported"]["keys"] == {"found": 2, "imported": 0, "already_there": 1, "left_out": 1}


async def test_the_target_may_be_postgresql(postgres: PostgresServer, config: Path) -> None:
    url, into = await litellm_database(postgres), await postgres.database()
    config.write_text(
        f"general_settings: {{master_key: sk-a-master-key-of-the-tests-1234, database_url: '{into}'}}\n"
        f"routeiq: {{data_dir: {config.parent / 'data'}, plugins: {{governance: {{encryption_key: {TOKEN}}}}}}}\n"
    )
    early = await run(config, "--from", url)
    assert early.exit_code == 1
    assert "routeiq migrate" in early.stderr
    await GovernanceMigrations().upgrade(load(config).written)
    done = json.loads((await run(config, "--from", url, "--json")).stdout)
    assert done["imported"]["keys"]["imported"] == 1


async def test_failures_are_one_line_without_a_password(config: Path) -> None:
    failed = await run(config, "--from", "postgresql://u:a-canary-password@127.0.0.1:1/x")
    assert failed.exit_code == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    assert "canary" not in failed.output
    wrong = await run(config, "--from", "postgresql://x/y", "--salt-key", "NO_SUCH_VARIABLE")
    assert wrong.exit_code == 2
    assert "NO_SUCH_VARIABLE" in wrong.stderr
