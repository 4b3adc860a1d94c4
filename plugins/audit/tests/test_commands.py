"""`routeiq audit verify | tail | export` as they are called."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from routeiq.cli.main import cli

from .trails import FORGER, SIGNER, keep, lines, sealed_objects, trail


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, words)], catch_exceptions=False)


def test_verify_exits_with_0_when_all_holds(tmp_path: Path) -> None:
    trail(tmp_path, 3, 2)
    done = call("verify", tmp_path)
    assert done.exit_code == 0
    assert "the trail holds" in done.output
    assert f"signed by {SIGNER.key_id}, not pinned" in done.output


def test_verify_exits_with_1_and_names_the_first_bad_number(tmp_path: Path) -> None:
    objects = trail(tmp_path, 3, 2)
    (tmp_path / objects[1].name).write_bytes(b"")
    done = call("verify", tmp_path)
    assert done.exit_code == 1
    assert "from 4 on" in done.output
    told = orjson.loads(call("verify", tmp_path, "--json").output)
    assert (told["ok"], told["first_bad"], told["chains"][0]["first_bad"]) == (False, 4, 4)


def test_verify_exits_with_1_for_a_folder_without_a_trail(tmp_path: Path) -> None:
    done = call("verify", tmp_path, "--json")
    assert done.exit_code == 1
    assert not orjson.loads(done.output)["ok"]


def test_verify_pins_a_key(tmp_path: Path) -> None:
    keep(tmp_path / "trail", sealed_objects((3,), signer=FORGER))
    key = tmp_path / "key.pub"
    key.write_bytes(SIGNER.public_pem)
    assert call("verify", tmp_path / "trail", "--key", key).exit_code == 1
    key.write_bytes(FORGER.public_pem)
    done = call("verify", tmp_path / "trail", "--key", key)
    assert done.exit_code == 0
    assert f"signed by {FORGER.key_id}, pinned" in done.output
    key.write_text("not a key")
    assert call("verify", tmp_path / "trail", "--key", key).exit_code == 2


def test_verify_compares_with_an_anchor(tmp_path: Path) -> None:
    objects = trail(tmp_path / "second", 3, 2)
    keep(tmp_path / "first", objects[:1])
    assert call("verify", tmp_path / "first").exit_code == 0
    done = call("verify", tmp_path / "first", "--anchor", tmp_path / "second")
    assert done.exit_code == 1
    assert "from 4 on" in done.output


def test_verify_obeys_no_escape_sequence_of_a_name(tmp_path: Path) -> None:
    trail(tmp_path, 1, stream="g\x1b[2J-0")
    assert "\x1b[2J" not in call("verify", tmp_path).output


def test_tail_shows_the_newest_events(tmp_path: Path) -> None:
    objects = trail(tmp_path, 3, 2)
    shown = call("tail", tmp_path, "-n", 2).output.splitlines()
    assert [line.split()[0] for line in shown] == ["2026-01-02T03:04:04.000Z", "2026-01-02T03:04:05.000Z"]
    whole = call("tail", tmp_path, "-n", 1, "--json").output.encode().strip()
    assert whole == lines(tmp_path, objects[1])[-1]
    assert call("tail", tmp_path, "--class", "admin").output == ""


async def test_tail_follows_what_is_sealed_from_now_on(tmp_path: Path) -> None:
    objects = sealed_objects((2, 3))
    await asyncio.to_thread(keep, tmp_path, objects[:1])
    words = ("-m", "routeiq", "audit", "tail", str(tmp_path), "--follow", "--json", "-n", "1")
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            seen = [orjson.loads(await process.stdout.readline())["seq"]]
            await asyncio.to_thread(keep, tmp_path, objects)
            seen += [orjson.loads(await process.stdout.readline())["seq"] for _ in range(3)]
    finally:
        process.kill()
        await process.wait()
    assert seen == [2, 3, 4, 5]


def test_export_writes_a_file_once_it_is_complete(tmp_path: Path) -> None:
    trail(tmp_path / "trail", 3, 2)
    out = tmp_path / "events.jsonl"
    done = call("export", tmp_path / "trail", "--out", out)
    assert done.exit_code == 0
    assert len(out.read_bytes().splitlines()) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "trail"]
    assert len(call("export", tmp_path / "trail", "--format", "csv").stdout.splitlines()) == 6


def test_tail_and_export_read_the_folders_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trail(tmp_path / "trail", 3)
    yaml = tmp_path / "routeiq.yaml"
    key = "general_settings: {master_key: sk-q8Zr2LmT0vXc7NwB4yKd9HsJ}\n"
    yaml.write_text(key + "routeiq: {plugins: {audit: {sinks: [{kind: file, path: trail}]}}}\n")
    assert len(call("tail", "--config", yaml).output.splitlines()) == 3
    yaml.write_text(key + "routeiq: {profile: minimal}\n")
    assert call("export", "--config", yaml).exit_code == 2


def test_a_path_or_a_configuration_is_needed(tmp_path: Path) -> None:
    done = call("export")
    assert done.exit_code == 2
    assert "PATH" in done.output
    assert call("export", tmp_path, "--since", "yesterday").exit_code == 2
