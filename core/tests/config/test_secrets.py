"""No secret leaves a configuration by accident: canaries in every place, looked for in every output."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from routeiq.config import ConfigErrors, load, loads
from routeiq.config.schema import json_schema

ROW = "model_list: [{model_name: a, litellm_params: {model: m, %s}}]\n"


def test_no_canary_in_what_a_configuration_prints(data: Path, env: Mapping[str, str], master_key: str) -> None:
    for name in ("full_litellm", "plain_litellm", "routeiq_block"):
        found = load(data / f"{name}.yaml", env)
        printed = [repr(found), str(found), found.revision, str(found.notices), str(found.protective)]
        printed += [repr(found.extra), repr(found.routeiq), str(found.general.model_dump()), repr(found.general)]
        printed += [str(row.litellm_params.model_dump()) for row in found.models]
        text = " ".join(printed)
        assert "canary" not in text
        assert master_key not in text


def test_a_configuration_with_secrets_is_not_pickled(data: Path, env: Mapping[str, str]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(load(data / "plain_litellm.yaml", env))


@pytest.mark.parametrize(
    "text",
    [
        ROW % "api_key: [canary-1234567]",
        ROW % "api_key: {nested: canary-1234567}",
        ROW % "api_key: os.environ/CANARY, rpm: os.environ/CANARY",
        ROW % "extra_headers: canary-1234567, timeout: canary-1234567",
        ROW % "api_base: 'http://user:canary-1234567@host/v1'",
        "general_settings: {master_key: [canary-1234567]}",
        "general_settings: {master_key: canary-1234567}",
        "general_settings: {master_key: os.environ/CANARY}",
        "general_settings: canary-1234567",
        "routeiq: {server: {port: os.environ/CANARY}}",
        "routeiq: {plugins: {a: os.environ/CANARY, b: {enabled: os.environ/CANARY}}}",
        "routeiq: {profile: os.environ/CANARY, compat: os.environ/CANARY, logs: {level: os.environ/CANARY}}",
        "routeiq: {prices: {a: {input_usd_per_mtok: os.environ/CANARY, output_usd_per_mtok: 1}}}",
        "router_settings: {num_retries: os.environ/CANARY, retry_policy: os.environ/CANARY}",
        "router_settings: {fallbacks: os.environ/CANARY}",
        "environment_variables: [canary-1234567]",
        "environment_variables: {A_TOKEN: {x: canary-1234567}}",
        "credential_list: [{credential_name: c, credential_values: canary-1234567}]",
        'api_key: "canary-1234567\n',
        "api_key: canary-1234567: x: y\n",
        "api_key: canary-1234567\napi_key: canary-1234567\n",
        "api_key: !own canary-1234567\n",
        "api_key: !!int canary-1234567\n",
    ],
)
def test_no_canary_in_errors_and_their_tracebacks(text: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        loads(text, "a.yaml", {"CANARY": "canary-1234567"})
    error = caught.value
    said = [str(error), repr(error), str(error.args), "".join(traceback.format_exception_only(error))]
    said += [f"{problem!r} {problem} {problem.__cause__} {problem.__context__}" for problem in error.problems]
    assert "canary" not in " ".join(said)
    assert error.__context__ is None
    assert error.__cause__ is None


def test_no_canary_in_the_schema() -> None:
    assert "canary" not in str(json_schema())


def test_a_word_that_says_whether_and_not_how_is_no_secret(env: Mapping[str, str], master_key: str) -> None:
    """`auth: required` would else mask a word that prose is full of."""
    text = f"general_settings: {{master_key: {master_key}}}\nrouteiq: {{plugins: {{mcp: {{v: {{auth: required}}}}}}}}\n"
    told = [secret.reveal() for secret in loads(text, env=env).secrets()]
    assert master_key in told
    assert "required" not in told
