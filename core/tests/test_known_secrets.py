"""Texts that others worded are cleared of the configuration's secrets, however these are written in them."""

from __future__ import annotations

import json
import logging

import pytest

from routeiq import known_secrets
from routeiq.config import loads
from routeiq.config.secret_names import secrets_in
from routeiq.errors import UpstreamError
from routeiq.known_secrets import conceal, conceal_bytes, hide
from routeiq.telemetry.logs import _Masked
from routeiq_sdk import Secret
from routeiq_sdk.secret import MASK


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_generations", [])
    monkeypatch.setattr(known_secrets, "_known", ())
    monkeypatch.setattr(known_secrets, "_known_bytes", ())


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("longsecret", "a longsecret b longsecret", f"a {MASK} b {MASK}"),
        ("Bearer longsecret", "told longsecret", f"told {MASK}"),
        ("redis://u:longsecret@h:1/0", "u with longsecret", f"u with {MASK}"),
        ("redis://u:long%2Fsecret@h:1/0", "u with long/secret", f"u with {MASK}"),
        ('long"sec\\ret', json.dumps('long"sec\\ret'), f'"{MASK}"'),
        ("short", "a short one", "a short one"),
        ("postgres://h/x", "at postgres://h/x", f"at {MASK}"),
    ],
)
def test_a_secret_is_found_in_each_of_its_spellings(secret: str, text: str, shown: str) -> None:
    hide([Secret(secret)])
    assert conceal(text) == shown
    assert conceal_bytes(text.encode()) == shown.encode()


def test_of_two_secrets_that_share_a_beginning_no_end_is_left() -> None:
    hide([Secret("longsecret"), Secret("longsecret-and-more")])
    assert conceal("it is longsecret-and-more") == f"it is {MASK}"


def test_a_reload_forgets_no_secret_that_requests_may_still_use() -> None:
    hide([Secret("first-secret")])
    hide([Secret("second-secret")])
    assert conceal("first-secret second-secret") == f"{MASK} {MASK}"
    hide([Secret("third-secret")])
    assert conceal("first-secret second-secret") == f"first-secret {MASK}"


def test_a_configuration_knows_its_secrets_and_takes_no_common_word_for_one() -> None:
    config = loads(
        """
model_list:
  - model_name: a
    litellm_params:
      model: openai/x
      api_key: provider-secret
      extra_headers: {content-type: application/json, x-team: team-secret-4c1f0a77}
general_settings: {master_key: sk-4c0f7b2e91d8a635ffee}
environment_variables: {SOME_TOKEN: exported-secret, PLAIN: plain-and-long-value-1}
""",
        env={},
    )
    found = {secret.reveal() for secret in config.secrets()}
    assert found == {"provider-secret", "team-secret-4c1f0a77", "sk-4c0f7b2e91d8a635ffee", "exported-secret"}
    assert list(secrets_in([{"token": (Secret("x"),)}])) == [Secret("x")]


def test_a_providers_error_is_cleared_before_anybody_reads_it() -> None:
    hide([Secret("provider-secret")])
    error = UpstreamError("error", 401, "AuthenticationError", "bad key provider-secret", code="provider-secret")
    assert "provider-secret" not in f"{error} {error.message} {error.code}"


def test_what_libraries_log_is_cleared_with_its_traceback() -> None:
    hide([Secret("provider-secret")])
    try:
        raise ValueError("no provider-secret")
    except ValueError as caught:
        error = (ValueError, caught, caught.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed with %s", ("provider-secret",), error)
    line = _Masked("%(message)s").format(record)
    assert "provider-secret" not in line
    assert "ValueError" in line
