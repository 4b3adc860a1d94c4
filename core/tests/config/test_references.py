"""References to the environment and to files; secrets never in the open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq.config.errors import Problems
from routeiq.config.references import Resolved, resolve
from routeiq.config.secret_names import names_a_secret
from routeiq.config.source import read_text
from routeiq_sdk import Secret


def resolved(text: str, **env: str) -> tuple[Resolved, Problems]:
    document = read_text(text, "a.yaml")
    problems = Problems(document.positions)
    return resolve(document.data, document.positions, env, problems), problems


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "master_key", "OPENAI_API_KEY", "client_secret", "aws_secret_access_key", "aws_access_key_id",
        "aws_session_token", "redis_password", "password", "azure_ad_token", "auth_value", "Authorization",
        "X-Api-Key", "database_url", "drain_endpoint_token", "vertex_credentials", "slack_webhook_url",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "model", "api_base", "max_tokens", "input_cost_per_token", "input_cost_per_audio_token",
        "litellm_key_header_name", "output_cost_per_reasoning_token", "key_name", "user", "tokenizer", "url",
        "max_output_token",
    ],
)  # fmt: skip
def test_other_names_are_not_taken_for_secrets(name: str) -> None:
    assert not names_a_secret(name)


def test_a_reference_is_resolved_anywhere_as_a_whole_text_only() -> None:
    found, problems = resolved("a: {b: [os.environ/X, 'see os.environ/X']}\nc: os.environ/X\n", X="value")
    assert found.data == {"a": {"b": ["value", "see os.environ/X"]}, "c": "value"}
    assert problems.found == []


def test_environment_variables_come_first_and_win_over_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWN", raising=False)
    text = "environment_variables: {OWN: yaml, PORT: 4000, FLAG: true, FROM: os.environ/OUTER, NONE: }\n"
    text += "a: os.environ/OWN\nb: os.environ/FROM\n"
    found, problems = resolved(text, OWN="process", OUTER="outer")
    assert found.data == {"a": "yaml", "b": "outer"}
    assert found.environment == {"OWN": "yaml", "PORT": "4000", "FLAG": "true", "FROM": "outer"}
    assert problems.found == []


def test_nothing_is_exported_to_the_process() -> None:
    import os

    resolved("environment_variables: {ROUTEIQ_TEST_EXPORT: x}\n")
    assert "ROUTEIQ_TEST_EXPORT" not in os.environ


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("a:\n  api_key: os.environ/GONE\n", "GONE is not set"),
        ("a:\n  redis_password: os.environ/EMPTY\n", "EMPTY is empty"),
        ("a:\n  client_secret: os.environ/\n", "(no name) is not set"),
        ("extra_headers:\n  X-Org: os.environ/GONE\n", "GONE is not set"),
        ("environment_variables:\n  OWN_API_KEY: os.environ/GONE\n", "GONE is not set"),
    ],
)
def test_a_missing_variable_of_a_secret_is_an_error_with_name_and_line(text: str, state: str) -> None:
    _, problems = resolved(text, EMPTY="")
    (problem,) = problems.found
    assert state in problem.message
    assert (problem.file, problem.line) == ("a.yaml", 2)
    assert problem.mend


def test_a_missing_variable_elsewhere_is_a_warning_and_no_value() -> None:
    exported, problems = resolved("environment_variables: {OWN: os.environ/GONE}\n")
    assert (exported.environment, problems.found, len(exported.notices)) == ({}, [], 1)
    found, problems = resolved("a:\n  b: os.environ/GONE\n")
    assert problems.found == []
    assert found.data == {"a": {"b": None}}
    (notice,) = found.notices
    assert (notice.level, notice.path, notice.line) == ("warning", "a.b", 2)
    assert "GONE" in notice.message


def test_secrets_are_wrapped_wherever_they_are_written() -> None:
    found, _ = resolved(
        "row: {api_key: canary, list: [{my_token: canary}]}\n"
        "m: {extra_headers: {Any: canary}, env: {DEEP: {x: canary}}}\n"
        "master_key: [canary]\n",
    )
    assert "canary" not in repr(found) + repr(found.data)
    assert found.data["row"]["api_key"] == Secret("canary")
    assert found.data["m"]["env"]["DEEP"]["x"].reveal() == "canary"


def test_a_list_of_header_names_is_no_secret() -> None:
    found, _ = resolved("mcp_servers: {s: {extra_headers: [X-Trace]}}\n")
    assert found.data == {"mcp_servers": {"s": {"extra_headers": ["X-Trace"]}}}


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("canary\n")
    found, problems = resolved(f"a: {{api_key: 'file://{path}', other: 'file://{path}'}}\n")
    assert problems.found == []
    assert found.data == {"a": {"api_key": Secret("canary"), "other": f"file://{path}"}}


def make(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return f"file://{path}"


def test_a_secret_file_that_cannot_serve_is_an_error(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (f"file://{tmp_path}/gone", "cannot read"),
        (f"file://{tmp_path}", "cannot read"),
        ("file://relative/path", "absolute"),
        (make(tmp_path / "empty", b"\n"), "empty"),
        (make(tmp_path / "binary", b"\xff\xfe"), "not UTF-8"),
        (make(tmp_path / "huge", b"x" * 70_000), "larger"),
    ]
    for reference, what in cases:
        _, problems = resolved(f"x: 1\napi_key: {reference}\n")
        (problem,) = problems.found
        assert what in problem.message
        assert problem.line == 2


@pytest.mark.parametrize("section", ["[a]", "text", "{A: [1]}", "{A: {b: c}}"])
def test_environment_variables_are_names_and_plain_values(section: str) -> None:
    _, problems = resolved(f"environment_variables: {section}\n")
    assert len(problems.found) == 1


@pytest.mark.parametrize(("mode", "told"), [(0o600, 0), (0o640, 0), (0o604, 1), (0o644, 1), (0o444, 1)])
def test_a_secret_file_that_every_user_may_read_is_told(tmp_path: Path, mode: int, told: int) -> None:
    file = tmp_path / "key"
    file.write_text("sk-in-a-file\n")
    file.chmod(mode)
    found, problems = resolved(f"api_key: file://{file}\n")
    assert found.data["api_key"] == Secret("sk-in-a-file")
    assert problems.found == []
    assert [notice.level for notice in found.notices] == ["info"] * told


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622])
def test_a_secret_file_that_every_user_may_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text("sk-planted\n")
    file.chmod(mode)
    found, problems = resolved(f"api_key: file://{file}\n")
    assert found.data["api_key"] is None
    assert "every user of this machine may change" in str(problems.found[0])
    assert "sk-planted" not in str(problems.found[0])
