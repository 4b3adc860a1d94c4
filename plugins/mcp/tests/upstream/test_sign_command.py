"""`routeiq mcp sign` prints what the gateway then accepts."""

from __future__ import annotations

from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from routeiq.cli.main import document_of
from routeiq_mcp.commands import mcp
from routeiq_mcp.upstream import ServerSpec, open_upstream
from routeiq_mcp.upstream.signed import program_of
from routeiq_sdk.testing import FakeGateway

from .test_stdio import PEM, trusting

CONFIG = """
general_settings: {master_key: sk-9f2c7be1a4d86350c1e7b2f94a6d8035}
mcp_servers:
  files:
    transport: stdio
    command: npx
    args: ["-y", "@scope/server", 8]
    env: {MODE: calm, API_TOKEN: os.environ/FILES_TOKEN}
  remote: {url: "https://mcp.example.com/mcp"}
  other: {command: uvx, args: [server]}
"""


def run(tmp_path: Path, *args: str, mode: int = 0o600, config: str = CONFIG, pem: bytes = PEM) -> Result:
    (tmp_path / "routeiq.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "operator.key").write_bytes(pem)
    (tmp_path / "operator.key").chmod(mode)
    told = ["sign", str(tmp_path / "routeiq.yaml"), "--key", str(tmp_path / "operator.key"), *args]
    return CliRunner(env={"FILES_TOKEN": "t0ken"}).invoke(mcp, told, obj=document_of)


def test_what_it_prints_is_what_the_gateway_accepts(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    blocks = [block.partition("\n")[2] for block in ("\n" + result.output).split("\n# ")[1:]]  # each below its comment
    printed = [yaml.safe_load(block)["mcp_servers"] for block in blocks]
    signatures = {name: row["signature"] for part in printed for name, row in part.items()}
    assert set(signatures) == {"files", "other"}
    assert "npx -y @scope/server 8" in result.output
    assert "t0ken" not in result.output
    gateway = trusting(FakeGateway("mcp"))
    rows = yaml.safe_load(CONFIG)["mcp_servers"]
    rows["files"]["env"]["API_TOKEN"] = "rotated since"
    for name, signature in signatures.items():
        signed = program_of({**rows[name], "signature": signature})
        open_upstream(ServerSpec(name, "stdio", program=signed, trusted=True), gateway)


def test_one_server_may_be_signed_alone(tmp_path: Path) -> None:
    result = run(tmp_path, "--server", "other")
    assert "files" not in result.output
    assert "no stdio server nobody" in run(tmp_path, "--server", "nobody").output


def test_a_key_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "chmod 600" in run(tmp_path, mode=0o644).output
    (tmp_path / "operator.key").chmod(0o600)
    assert "not a private key" in run(tmp_path, pem=b"nothing").output


def test_a_configuration_without_programs_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, config="general_settings: {master_key: sk-9f2c7be1a4d86350c1e7b2f94a6d8035}\n")
    assert result.exit_code != 0
    assert "a row of mcp_servers with a command" in result.output
