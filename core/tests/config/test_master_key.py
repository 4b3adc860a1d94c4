"""The master key is there and cannot be guessed."""

from __future__ import annotations

import secrets

import pytest

from routeiq.config import ConfigErrors, loads
from routeiq.config.master_key import weakness

WEAK = [
    "sk-1234", "sk-12345678", "short-but-Odd-9", "sk-1234567890abcdef", "sk-aaaaaaaaaaaaaaaaaaaaaa", "password" * 4,
    "sk-abcdefghijklmnopqr", "changeme-changeme-changeme", "sk-litellm-master-key-1234", "sk-your-key-your-key-here",
    "abababababababababababab", "                        ", "sk-example-secret-admin-key",
]  # fmt: skip


def text(key: str, server: str = "{}") -> str:
    return f"x_y: 1\ngeneral_settings:\n  master_key: '{key}'\nrouteiq: {{server: {server}}}\n"


@pytest.mark.parametrize("key", WEAK)
def test_a_key_that_can_be_guessed_stops_the_start(key: str) -> None:
    with pytest.raises(ConfigErrors, match=r"general_settings\.master_key is (weak|missing)") as caught:
        loads(text(key), "a.yaml", {})
    assert caught.value.line == 3
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", WEAK[:-2])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "'::1'", "unix:/tmp/x.sock"])
def test_a_weak_key_is_accepted_on_loopback_when_allowed(key: str, host: str) -> None:
    loads(text(key, f"{{allow_weak_master_key: true, host: {host}}}"), "a.yaml", {})


@pytest.mark.parametrize("host", ["0.0.0.0", "'::'", "10.0.0.3", "gateway.example.com", "localhost.example.com"])
def test_a_weak_key_is_never_accepted_beyond_loopback(host: str) -> None:
    with pytest.raises(ConfigErrors, match="listen on loopback"):
        loads(text("sk-1234", f"{{allow_weak_master_key: true, host: {host}}}"), "a.yaml", {})
    found = loads(text("sk-1234", "{allow_weak_master_key: true}"), "a.yaml", {})
    with pytest.raises(ConfigErrors, match="listen on loopback"):
        found.with_server(host=host.strip("'"))


@pytest.mark.parametrize("general", ["{}", "", "{master_key: }", "{master_key: ''}"])
def test_an_absent_key_stops_the_start_even_when_weak_ones_are_allowed(general: str) -> None:
    with pytest.raises(ConfigErrors, match=r"master_key is missing.*Mend: add .*os\.environ/ROUTEIQ_MASTER_KEY"):
        loads(f"general_settings: {general}\nrouteiq: {{server: {{allow_weak_master_key: true}}}}", "a.yaml", {})


def test_the_mend_names_a_variable_that_is_there() -> None:
    with pytest.raises(ConfigErrors, match=r"os\.environ/LITELLM_MASTER_KEY"):
        loads("", "a.yaml", {"LITELLM_MASTER_KEY": "x"})


def test_a_missing_variable_of_the_master_key_is_one_problem_not_two() -> None:
    with pytest.raises(ConfigErrors) as caught:
        loads("general_settings: {master_key: os.environ/GONE}", "a.yaml", {})
    assert [problem.message for problem in caught.value.problems] == [
        "general_settings.master_key: environment variable GONE is not set."
    ]


def test_random_keys_are_strong() -> None:
    for size in (12, 16, 24, 32):
        assert [key for key in (f"sk-{secrets.token_urlsafe(size)}" for _ in range(200)) if weakness(key)] == []
