"""The contender table, the floors in front of a real mock, and the errors that name a mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import arena, provision, registry
from bench.cli import main
from bench.contenders import CONTENDERS, Command, Contender, Place, prepare, select
from bench.processes import ProcessEnded
from bench.provision import BenchSetupError


def named(name: str) -> Contender:
    return next(contender for contender in CONTENDERS if contender.name == name)


def test_names_and_patterns_choose_contenders_once_each() -> None:
    assert [row.name for row in select("relay, routeiq-minimal*, relay")] == [
        "relay",
        "routeiq-minimal",
        "routeiq-minimal-uvicorn",
        "routeiq-minimal-granian",
    ]
    with pytest.raises(BenchSetupError, match="there are: nginx"):
        select("ngnix")


@pytest.mark.parametrize("name", ["hypercorn", "relay"])
def test_a_floor_answers_as_a_gateway_would(name: str, tmp_path: Path) -> None:
    with arena.mock_upstream(tmp_path, gap_ms=0) as (_, port), arena.running(named(name), port, tmp_path) as target:
        status, body = arena.post_chat(target.port, target.headers, stream=False)
    assert status == 200
    assert b'"choices"' in body
    assert 0 < target.started.port_open <= target.started.first_answer


def test_a_contender_that_dies_at_start_fails_with_its_own_words(tmp_path: Path) -> None:
    dying = Contender("dying", "", lambda place: Command(["sh", "-c", "echo no licence; exit 3"]))
    with pytest.raises(ProcessEnded, match="no licence"), arena.running(dying, 1, tmp_path):
        raise AssertionError("it never ran")


def test_no_secret_of_the_shell_reaches_a_contender(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    command = named("relay").command(Place(1, 2, tmp_path, tmp_path, "sk-bench"))
    assert "OPENAI_API_KEY" not in command.full_env()


def test_a_missing_tool_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(BenchSetupError, match="apt-get install nginx-light wrk gcc"):
        provision.require("nginx", "wrk", "cc")


def test_only_an_optional_contender_may_be_left_out(tmp_path: Path) -> None:
    def unavailable(_: Path) -> None:
        raise BenchSetupError("not installed: npm")

    def row(*, optional: bool) -> Contender:
        return Contender("x", "", lambda _: Command([]), provision=unavailable, optional=optional)

    assert prepare([row(optional=True)], tmp_path, print) == ([], {"x": "not installed: npm"})
    with pytest.raises(BenchSetupError, match="npm"):
        prepare([row(optional=False)], tmp_path, print)


def test_every_bench_is_found_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(registry.discover()) >= {"list", "proxy", "start"}
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*registry.discover(), *(row.name for row in CONTENDERS)))
