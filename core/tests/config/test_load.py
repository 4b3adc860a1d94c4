"""Whole files: what comes out of `load`, and how mistakes are named."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from routeiq.config import Config, ConfigErrors, ModelRow, load, load_default, loads
from routeiq_sdk import ConfigError, Secret

GENERAL = "general_settings: {master_key: sk-Zq8vT3xW9pLm2RkY7nBd}\n"


def config(text: str, env: Mapping[str, str] | None = None) -> Config:
    return loads(text + "\n" + GENERAL, "a.yaml", env or {})


def refused(text: str, env: Mapping[str, str] | None = None) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigErrors) as caught:
        config(text, env)
    assert all(problem.file == "a.yaml" for problem in caught.value.problems)
    return [(problem.line, str(problem)) for problem in caught.value.problems]


def row(found: Config, number: int) -> ModelRow:
    return found.models[number]


def test_a_plain_litellm_file_loads_without_a_word(data: Path, env: Mapping[str, str]) -> None:
    found = load(data / "plain_litellm.yaml", env)
    assert [model.model_name for model in found.models] == ["chat", "claude"]
    assert row(found, 0).litellm_params.api_key == Secret("canary-openai")
    assert found.router.fallbacks == {"chat": ("claude",)}
    assert found.litellm.drop_params is True
    assert (found.notices, found.protective) == ((), ())
    assert found.sources == (data / "plain_litellm.yaml",)


def test_a_full_litellm_file_is_typed_where_the_core_acts_and_kept_elsewhere(
    data: Path, env: Mapping[str, str]
) -> None:
    found = load(data / "full_litellm.yaml", env)
    names = [model.model_name for model in found.models]
    assert names == ["fast", "fast", "strong", "bedrock-sage", "local", "openai/*", "embed"]
    first = row(found, 0)
    assert (first.path, Path(first.file).name, first.line) == ("model_list[0]", "full_litellm.yaml", 18)
    assert first.litellm_params.input_cost_per_token == Decimal("1.5e-7")
    assert (first.litellm_params.stream_timeout, first.litellm_params.tags) == (5.5, ("default", "paid"))
    assert first.litellm_params.extras == {"temperature": 0.2}
    assert (first.model_info.id, first.model_info.access_groups) == ("fast-openai", ("everyone",))
    assert first.model_info.extras == {"supports_vision": True, "owner_team": "platform"}

    azure = row(found, 1).litellm_params
    assert azure.api_key == Secret("canary-azure")
    assert (azure.api_base, azure.api_version) == ("https://eu.openai.example.com", "2025-02-01")
    assert row(found, 2).litellm_params.extra_headers == {"anthropic-beta": Secret("long-context")}
    assert row(found, 3).litellm_params.extras["aws_secret_access_key"] == Secret("canary-aws-secret")
    assert row(found, 3).litellm_params.extras["aws_region_name"] == "eu-west-1"
    assert (Path(row(found, 6).file).name, row(found, 6).line) == ("more_models.yaml", 2)

    router = found.router
    assert (router.num_retries, router.timeout, router.cooldown_time, router.allowed_fails) == (3, 60, 10, 2)
    assert router.retry_policy is not None
    assert router.retry_policy.RateLimitErrorRetries == 4
    assert router.fallbacks == {"fast": ("strong",), "strong": ("fast", "local")}
    assert router.default_fallbacks == ("local",)
    assert router.model_group_alias["hidden-one"].hidden is True
    assert router.model_group_alias["gpt-old"].model == "fast"

    assert found.general.litellm_key_header_name == "X-Team-Key"
    assert found.general.extras["database_url"].reveal() == env["DATABASE_URL"]
    assert found.body_bytes == 8 * 1024 * 1024
    assert found.extra["mcp_servers"]["github"]["auth_value"] == Secret("canary-github")
    assert found.environment == {"LANGFUSE_HOST": "https://traces.example.com", "REGION": "eu-west-1"}
    assert found.positions["mcp_servers.github.allowed_tools"].line == 149
    assert "include" not in found.extra


def test_what_a_full_litellm_file_needs_beyond_the_core_is_named_line_by_line(
    data: Path, env: Mapping[str, str]
) -> None:
    found = load(data / "full_litellm.yaml", env)
    assert [(key.line, key.path, key.needs_plugin) for key in sorted(found.protective, key=lambda key: key.line)] == [
        (54, "model_list[2].litellm_params.max_budget", "routing-classic"),
        (62, "model_list[3].model_info.team_id", "governance"),
        (75, "router_settings.routing_strategy", "routing-classic"),
        (90, "router_settings.enable_pre_call_checks", "routing-classic"),
        (91, "router_settings.optional_pre_call_checks[0]", "routing-classic"),
        (103, "litellm_settings.callbacks[1]", "litellm-hooks"),
        (103, "litellm_settings.callbacks[2]", "guard-pii"),
        (109, "litellm_settings.max_budget", "governance"),
        (111, "litellm_settings.upperbound_key_generate_params", "governance"),
        (118, "general_settings.custom_auth", "litellm-hooks"),
        (122, "general_settings.allowed_routes", "governance"),
        (123, "general_settings.max_parallel_requests", "governance"),
        (124, "general_settings.global_max_parallel_requests", "governance"),
        (133, "guardrails[0]", "guard-pii"),
        (135, "guardrails[1]", "litellm-hooks"),
        (137, "guardrails[2]", "guard-external"),
        (149, "mcp_servers.github.allowed_tools", "mcp"),
    ]


def test_the_routeiq_block_is_read_in_full(data: Path, env: Mapping[str, str]) -> None:
    block = load(data / "routeiq_block.yaml", env).routeiq
    assert (block.profile, block.data_dir, block.strict) == ("minimal", Path("/var/lib/routeiq"), True)
    assert (block.compat.litellm_profile, block.compat.allow_mock_requests) == ("1.80", True)
    assert (block.server.engine, block.server.port, block.server.workers) == ("granian", 8443, 4)
    assert block.server.tls is not None
    assert block.server.tls.certfile == Path("/etc/tls/cert.pem")
    assert block.limits.stream_idle_seconds == 60
    assert block.egress.allow == ("10.0.0.0/8", "intranet.example:8443")
    assert block.virtual_models["auto"].fallback == "fast"
    assert block.prices["fast"].cache_read_usd_per_mtok == Decimal("0.075")
    assert list(block.plugins) == ["routing-ml", "guard-pii", "audit"]
    assert block.plugins["routing-ml"].after == ("guard-pii",)
    assert block.plugins["routing-ml"].config == {"artifact": "./router"}
    assert block.plugins["guard-pii"].enabled is True
    assert block.plugins["audit"].enabled is False
    assert block.plugins["audit"].config == {"api_token": Secret("canary-audit")}
    assert block.plugin_policy.allow is not None
    assert block.plugin_policy.allow[0].version == ">=0.1,<1"


def test_the_defaults_are_those_of_the_architecture() -> None:
    found = config("")
    block = found.routeiq
    assert (block.profile, block.data_dir) == ("standard", Path("./.routeiq"))
    assert block.compat.litellm_profile == "1.109"
    server = block.server
    assert (server.engine, server.host, server.port, server.workers) == ("hypercorn", "127.0.0.1", 4000, 1)
    assert (server.grace_seconds, server.allow_weak_master_key, server.behind_proxy) == (600, False, False)
    limits = block.limits
    assert (limits.in_flight, limits.body_mib, limits.head_kib, limits.json_depth) == (512, 32, 64, 64)
    assert (limits.body_seconds, limits.stream_idle_seconds) == (30, 120)
    assert (found.router.cooldown_time, found.router.allowed_fails, found.router.max_fallbacks) == (5, 3, 5)
    assert (found.router.timeout, found.router.num_retries) == (6000, 2)
    assert found.body_bytes == 32 * 1024 * 1024


def test_sections_without_content_take_their_defaults() -> None:
    found = config("model_list:\nrouter_settings:\nlitellm_settings:\nrouteiq: {server: {host: }, plugins: , logs: }\n")
    assert found.routeiq.server.host == "127.0.0.1"
    assert found.models == ()


def test_litellm_settings_fill_what_router_settings_leave_out() -> None:
    found = config(
        "litellm_settings: {num_retries: 7, request_timeout: 9, fallbacks: [{a: b}], model_alias_map: {x: a, y: a}}\n"
        "router_settings: {num_retries: 0, model_group_alias: {x: b}}\n"
        "model_list: [{model_name: a, litellm_params: {model: m}}, {model_name: b, litellm_params: {model: m}}]"
    )
    assert (found.router.num_retries, found.router.timeout, found.router.fallbacks) == (0, 9, {"a": ("b",)})
    assert {name: alias.model for name, alias in found.router.model_group_alias.items()} == {"x": "b", "y": "a"}
    assert [notice.path for notice in found.notices] == ["litellm_settings.num_retries"]


def test_default_params_and_credentials_fill_a_row_and_never_override_it() -> None:
    found = config(
        "credential_list: [{credential_name: c, credential_values: {api_key: from-c, api_version: v1}}]\n"
        "router_settings: {default_litellm_params: {timeout: 3, api_version: v0}}\n"
        "model_list: [{model_name: a, litellm_params: {model: m, litellm_credential_name: c, api_key: own}}]"
    )
    params = row(found, 0).litellm_params
    assert (params.api_key, params.api_version, params.timeout) == (Secret("own"), "v1", 3)


def test_a_blocked_row_is_not_served() -> None:
    found = config("model_list: [{model_name: a, litellm_params: {model: m}, model_info: {blocked: true}}]")
    assert found.models == ()
    assert [notice.level for notice in found.notices] == ["info"]


def test_a_router_offered_as_a_model_is_told_and_spares_the_others() -> None:
    found = config("model_list: [{model_name: a, litellm_params: {model: auto_router/x}}]")
    assert row(found, 0).router_model
    assert [(notice.level, notice.path) for notice in found.notices] == [("warning", "model_list[0]")]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("model_list: 3", 1, "model_list is a list of rows"),
        ("model_list:\n  - 3", 2, "model_list[0] is a mapping"),
        ("model_list:\n  - litellm_params: {model: m}", 2, "model_list[0].model_name is missing"),
        ("model_list:\n  - model_name: 4\n    litellm_params: {model: m}", 2, "in quotes"),
        ("model_list:\n  - model_name: a", 2, "model_list[0].litellm_params is missing"),
        ("model_list:\n  - model_name: a\n    litellm_params: {}", 3, "litellm_params.model is missing"),
        ("model_list:\n  - model_name: a\n    litellm_params: text", 3, "litellm_params is a mapping"),
        ("model_list:\n  - model_name: a\n    litellm_params:\n      model: m\n      rpm: many", 5, "rpm: should be"),
        (
            "model_list:\n  - model_name: a\n    litellm_params:\n      model: m\n      timeout: -1",
            5,
            "timeout: should",
        ),
        ("model_list:\n  - model_name: a\n    litellm_params:\n      model: m\n      api_key: 12", 5, "a secret is"),
        ("model_list:\n  - model_name: a\n    litellm_params:\n      model: m\n      api_base: x", 5, "http://"),
        (
            "model_list:\n  - model_name: a\n    litellm_params:\n      model: m\n      api_base: http://u:p@h/v1",
            5,
            "user name or password",
        ),
        (
            "credential_list: [{credential_name: azure-eu, credential_values: {}}]\n"
            "model_list:\n  - model_name: a\n    litellm_params: {model: m, litellm_credential_name: azure-ue}",
            4,
            "did you mean 'azure-eu'?",
        ),
        ("credential_list:\n  - {credential_name: c}", 2, "no credential_values"),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: m}, model_info: {id: x}}\n"
            "  - {model_name: b, litellm_params: {model: m}, model_info: {id: x}}",
            3,
            "model_list[1].model_info.id is also that of model_list[0] (a.yaml:2)",
        ),
        ("router_settings: text", 1, "router_settings is a mapping"),
        ("router_settings:\n  fallbacks: [a, b]", 2, "should be a list like"),
        ("router_settings:\n  fallbacks: [{a: [b]}, {a: [c]}]", 2, "lists 'a' twice"),
        ("router_settings:\n  retry_policy:\n    RateLimitRetries: 3", 3, "did you mean 'RateLimitErrorRetries'?"),
        ("router_settings:\n  cooldown_time: .nan", 2, "finite"),
        ("routeiq:\n  profil: minimal", 2, "routeiq.profil is an unknown key. Mend: did you mean 'profile'?"),
        ("routeiq:\n  server:\n    prot: 1", 3, "did you mean 'port'?"),
        ("routeiq:\n  logs:\n    zzz: 1", 3, "known keys: format, level"),
        ("routeiq:\n  profile: big", 2, "should be 'standard' or 'minimal'"),
        ("routeiq:\n  compat: {litellm_profile: 1.80}", 2, "should be '1.80' or '1.109'"),
        ("routeiq:\n  server: {port: 70000}", 2, "less than or equal to 65535"),
        ("routeiq:\n  server:\n    tls:\n      certfile: /x", 3, "routeiq.server.tls.keyfile is missing"),
        ("routeiq:\n  prices:\n    gpt-4.1: {input_usd_per_mtok: 1, outptu_usd: 1}", 3, '["gpt-4.1"].outptu_usd is an'),
        ("routeiq:\n  plugins:\n    Bad_Name: {}", 2, "no plugin name"),
        ("routeiq:\n  plugins:\n    a:\n      before: b", 4, "plugins.a.before: should be"),
        ("routeiq:\n  plugins:\n    a: text", 3, "plugins.a: should be"),
        ("routeiq:\n  virtual_models:\n    auto: {models: [gone]}", 3, "'gone' is no model group"),
        ("routeiq:\n  virtual_models:\n    auto: {models: []}", 3, "at least 1 item"),
        ("routeiq:\n  virtual_models:\n    auto: {models: [a], default_model: b}", 3, "default_model is not one of"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_mend(text: str, line: int, what: str) -> None:
    problems = refused(text)
    assert any(where == line and what in said for where, said in problems), problems
    assert all("Mend: " in said for _, said in problems)


def test_all_mistakes_of_a_file_are_named_in_one_go() -> None:
    problems = refused(
        "model_list:\n  - model_name: a\n  - litellm_params: {model: m, rpm: x}\n"
        "router_settings: {num_retries: -1}\nrouteiq: {server: {port: x, wrokers: 2}}\nk: {api_key: os.environ/GONE}"
    )
    assert [line for line, _ in problems] == [2, 3, 3, 4, 5, 5, 6]


def test_one_mistake_prints_as_one_line_and_many_as_a_list() -> None:
    with pytest.raises(ConfigErrors) as caught:
        config("model_list: 3")
    assert str(caught.value).startswith("a.yaml:1: model_list is a list of rows. Mend: ")
    assert isinstance(caught.value, ConfigError)
    with pytest.raises(ConfigErrors, match=r"2 problems:\n  a\.yaml:1: ") as several:
        config("model_list: 3\nrouter_settings: 4")
    assert len(several.value.problems) == 2


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("router_settings: {fallbacks: [{fast: [slwo]}]}", "router_settings.fallbacks"),
        ("litellm_settings: {default_fallbacks: [slwo]}", "litellm_settings.default_fallbacks"),
        ("router_settings: {model_group_alias: {old: slwo}}", "router_settings.model_group_alias.old"),
    ],
)
def test_a_fallback_or_alias_to_nowhere_is_told_with_a_hint(text: str, path: str) -> None:
    rows = ", ".join(f"{{model_name: {name}, litellm_params: {{model: m}}}}" for name in ("fast", "slow", "x/*"))
    (notice,) = config(f"model_list: [{rows}]\n{text}").notices
    assert (notice.level, notice.path, notice.line) == ("warning", path, 2)
    assert "'slow'" in notice.message


def test_fallbacks_may_name_wildcards_aliases_and_virtual_models() -> None:
    rows = ", ".join(f"{{model_name: {name}, litellm_params: {{model: m}}}}" for name in ("fast", "x/*"))
    found = config(
        f"model_list: [{rows}]\nrouteiq: {{virtual_models: {{auto: {{models: [fast, x/one]}}}}}}\n"
        "router_settings: {model_group_alias: {old: fast}, fallbacks: [{'*': [x/other, old, auto]}]}"
    )
    assert found.notices == ()


def test_a_virtual_model_has_a_name_of_its_own() -> None:
    problems = refused(
        "model_list: [{model_name: a, litellm_params: {model: m}}]\nrouteiq: {virtual_models: {a: {models: [a]}}}"
    )
    assert "also a model_name" in problems[0][1]


def test_without_a_file_the_master_key_comes_from_the_environment(master_key: str) -> None:
    assert load_default({"ROUTEIQ_MASTER_KEY": master_key}).master_key == Secret(master_key)
    with pytest.raises(ConfigErrors, match="ROUTEIQ_MASTER_KEY is not set"):
        load_default({})


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, master_key: str) -> None:
    monkeypatch.setenv("ROUTEIQ_MASTER_KEY", master_key)
    assert load_default().master_key == Secret(master_key)


def test_the_configuration_cannot_be_changed() -> None:
    found = config("model_list: [{model_name: a, litellm_params: {model: m}}]")
    for owner, name in (
        (found, "revision"),
        (found.routeiq.server, "port"),
        (found.router, "num_retries"),
        (row(found, 0), "model_name"),
        (row(found, 0).litellm_params, "rpm"),
    ):
        with pytest.raises((AttributeError, ValueError)):
            setattr(owner, name, 1)


def test_a_command_line_may_change_the_server_under_the_same_rules() -> None:
    found = config("routeiq: {server: {port: 5000}}")
    changed = found.with_server(host="0.0.0.0", port=None, workers=2)
    assert (changed.routeiq.server.host, changed.routeiq.server.port) == ("0.0.0.0", 5000)
    assert changed.routeiq.server.workers == 2
    assert found.routeiq.server.workers == 1
    with pytest.raises(ConfigErrors, match=r"routeiq\.server\.workers: should be"):
        found.with_server(workers=0)
