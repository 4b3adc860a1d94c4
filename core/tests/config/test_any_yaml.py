"""Whatever is written, a load ends in a configuration or in errors with file and line."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routeiq.config import Config, ConfigErrors, loads
from routeiq.config.key_tables import TABLES

SECRET = "canary-7f3a"
KEYS = sorted({name for table in TABLES.values() for name in table.names()} | {
    "server", "limits", "plugins", "port", "prices", "virtual_models", "models", "enabled", "strict", "compat",
    "accept_unenforced", "tls", "logs", "egress", "guardrail", "x", "<<", "a.b", "", "0",
})  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(
        ["os.environ/A", "os.environ/GONE", "file:///gone", "a", "openai/*", "sk-Zq8vT3xW9pLm2RkY7nBd", SECRET]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"model_name": st.sampled_from(["a", "b", "x/*"])},
        optional={
            "litellm_params": st.fixed_dictionaries(
                {"model": st.just("m")}, optional={"api_key": SCALARS, "rpm": SCALARS, "x": VALUES, "api_base": SCALARS}
            ),
            "model_info": VALUES,
        },
    ),
    max_size=3,
)
SECTIONS = (
    "router_settings", "litellm_settings", "routeiq", "guardrails", "mcp_servers", "credential_list",
    "environment_variables", "policies", "include", "unknown",
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {"general_settings": st.just({"master_key": "sk-Zq8vT3xW9pLm2RkY7nBd"})},
    optional={
        "model_list": st.one_of(ROWS, VALUES),
        **dict.fromkeys(SECTIONS, VALUES),
    },
)  # fmt: skip


def outcome(text: str) -> Config | ConfigErrors:
    found: Config | ConfigErrors
    try:
        found = loads(text, "a.yaml", {"A": SECRET})
    except ConfigErrors as errors:
        found = errors
    for problem in found.problems if isinstance(found, ConfigErrors) else ():
        assert problem.file == "a.yaml"
        assert problem.line is not None
        assert problem.line >= 1
        assert problem.message
    return found


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS)
def test_any_document_loads_or_is_refused_with_lines(document: dict[str, Any]) -> None:
    outcome(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


@settings(max_examples=150, deadline=None, database=None)
@given(st.one_of(st.text(), st.text(alphabet="ab:- []{}&*!<|>'\"#%@`\n\t,?~=0x.\\"), st.binary().map(str)))
def test_any_text_loads_or_is_refused_with_lines(text: str) -> None:
    outcome(text)


@settings(max_examples=60, deadline=None, database=None)
@given(
    st.sampled_from(["api_key", "password", "my_token", "client_secret", "extra_headers", "env"]),
    st.recursive(
        st.just("os.environ/A"),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2), st.dictionaries(st.just("token"), inner, min_size=1)
        ),
        max_leaves=4,
    ),
    st.sampled_from(["general_settings", "litellm_settings", "mcp_servers", "router_settings", "elsewhere"]),
)
def test_a_value_under_a_secret_name_is_never_printed(name: str, value: Any, section: str) -> None:
    if name in ("extra_headers", "env") and not isinstance(value, dict):
        value = {"any": value}
    general = {"general_settings": {"master_key": "sk-Zq8vT3xW9pLm2RkY7nBd"}}
    document: dict[str, Any] = {**general, section: {**general.get(section, {}), name: value}}
    found = outcome(yaml.safe_dump(document))
    extra = repr(found.extra) if isinstance(found, Config) else ""
    assert SECRET not in f"{found!r} {found} {extra}"
