"""Keys of LiteLLM's dialect: served, protective, neutral, unknown."""

from __future__ import annotations

import pytest

from routeiq.config import Config, ConfigErrors, loads
from routeiq.config.key_tables import TABLES
from routeiq.config.keys import KeyClass

ROW = "model_list: [{model_name: a, litellm_params: {model: openai/a%s}, model_info: {id: one%s}}]\n"


def config(text: str, general: str = "", env: dict[str, str] | None = None, strict: bool | None = None) -> Config:
    tail = f"\ngeneral_settings: {{master_key: sk-Zq8vT3xW9pLm2RkY7nBd{general}}}\n"
    return loads(text + tail, "a.yaml", env or {}, strict=strict)


def needs(found: Config) -> list[tuple[str, str]]:
    return [(key.path, key.needs_plugin) for key in found.protective]


def test_every_row_of_the_tables_is_described_and_protective_ones_name_a_plugin() -> None:
    for table in TABLES.values():
        names = [row.name for row in table.rows]
        assert len(names) == len(set(names)), table.section
        for row in table.rows:
            assert row.description.endswith("."), (table.section, row.name)
            if row.key_class is KeyClass.PROTECTIVE:
                assert row.plugin, (table.section, row.name)
            assert row.part_of is None or table.find(row.part_of) or row.part_of in ("guardrail", "mcp_servers")


CLASSIC = "routing-classic"


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        (
            "",
            "model_list litellm_settings router_settings general_settings environment_variables include "
            "credential_list guardrails policies policy_attachments prompts mcp_servers mcp_tools agents "
            "agent_list callback_settings vector_store_registry search_tools files_settings finetune_settings "
            "assistant_settings default_vertex_config pass_through_endpoints worker_registry plugins sandbox_tools",
        ),
        (
            "model_list[].litellm_params",
            "model api_key api_base api_version organization custom_llm_provider timeout stream_timeout max_retries "
            "num_retries rpm tpm weight order tags tag_regex region_name extra_headers headers extra_body drop_params "
            "mock_response mock_testing_fallbacks mock_testing_rate_limit_error mock_timeout input_cost_per_token "
            "output_cost_per_token litellm_credential_name configurable_clientside_auth_params max_parallel_requests "
            "cooldown_time max_budget budget_duration itpm otpm tpd rpd keepalive_seconds aws_region_name "
            "vertex_project cache_control_injection_points temperature auto_router_config",
        ),
        (
            "model_list[].model_info",
            "id mode base_model access_groups supported_environments team_id team_public_model_name tier blocked "
            "supports_vision input_cost_per_token health_check_model",
        ),
        (
            "router_settings",
            "routing_strategy routing_strategy_args routing_groups provider_budget_config num_retries retry_after "
            "timeout stream_timeout retry_policy model_group_retry_policy allowed_fails allowed_fails_policy "
            "cooldown_time disable_cooldowns max_fallbacks fallbacks default_fallbacks context_window_fallbacks "
            "content_policy_fallbacks enable_weighted_failover model_group_alias enable_pre_call_checks "
            "optional_pre_call_checks enable_tag_filtering tag_filtering_match_any tag_routing_prefix redis_host "
            "redis_port redis_password redis_db redis_url cache_responses",
        ),
        (
            "litellm_settings",
            "drop_params modify_params num_retries request_timeout fallbacks context_window_fallbacks "
            "content_policy_fallbacks default_fallbacks success_callback failure_callback callbacks service_callback "
            "turn_off_message_logging redact_user_api_key_info json_logs set_verbose cache cache_params max_budget "
            "budget_duration max_internal_user_budget default_team_settings default_internal_user_params "
            "default_key_generate_params upperbound_key_generate_params enable_json_schema_validation "
            "disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only "
            "include_cost_in_streaming_usage cost_discount_config cost_margin_config model_group_settings "
            "priority_reservation custom_provider_map post_call_rules forward_traceparent_to_llm_provider "
            "budget_exceeded_status_code ssl_verify telemetry",
        ),
        (
            "general_settings",
            "master_key database_url database_connection_pool_limit store_model_in_db custom_auth custom_key_generate "
            "allowed_routes public_routes admin_only_routes pass_through_endpoints max_parallel_requests "
            "global_max_parallel_requests infer_model_from_keys background_health_checks health_check_interval "
            "alerting alerting_args disable_spend_logs disable_error_logs store_prompts_in_spend_logs "
            "proxy_batch_write_at proxy_budget_rescheduler_min_time maximum_spend_logs_retention_period "
            "forward_client_headers_to_llm_api "
            "user_header_name user_header_mappings enforce_user_param enforced_params allowed_ips use_x_forwarded_for "
            "max_request_size_mb max_response_size_mb litellm_key_header_name allow_requests_on_db_unavailable "
            "key_management_system key_management_settings enable_jwt_auth litellm_jwtauth control_plane_url "
            "ui_access_mode use_redis_transaction_buffer reject_clientside_metadata_tags",
        ),
        ("mcp_servers.*", "url command args transport auth_type auth_value allowed_tools access_groups extra_headers "
         "static_headers description spec_path"),
        ("guardrails[].litellm_params", "guardrail mode default_on api_key api_base"),
    ],
)  # fmt: skip
def test_every_key_that_litellm_users_write_is_in_a_table(section: str, keys: str) -> None:
    missing = [key for key in keys.split() if TABLES[section].find(key) is None]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "path", "plugin"),
    [
        ("litellm_settings: {max_budget: 10}", "litellm_settings.max_budget", "governance"),
        ("litellm_settings: {max_budget: 0}", "litellm_settings.max_budget", "governance"),
        ("litellm_settings: {post_call_rules: x.y}", "litellm_settings.post_call_rules", "litellm-hooks"),
        ("litellm_settings: {callbacks: hooks.instance}", "litellm_settings.callbacks", "litellm-hooks"),
        ("litellm_settings: {callbacks: [otel, presidio]}", "litellm_settings.callbacks[1]", "guard-pii"),
        ("router_settings: {routing_strategy: least-busy}", "router_settings.routing_strategy", "routing-classic"),
        ("router_settings: {enable_tag_filtering: true}", "router_settings.enable_tag_filtering", "routing-classic"),
        ("router_settings: {provider_budget_config: {x: 1}}", "router_settings.provider_budget_config", CLASSIC),
        ("guardrails: [{guardrail_name: g, litellm_params: {guardrail: presidio}}]", "guardrails[0]", "guard-pii"),
        ("guardrails: [{litellm_params: {guardrail: hide-secrets}}]", "guardrails[0]", "guard-secrets"),
        ("guardrails: [{guardrail_name: g, litellm_params: {guardrail: aim}}]", "guardrails[0]", "guard-external"),
        ("guardrails: [{guardrail_name: g, litellm_params: {guardrail: f.Own}}]", "guardrails[0]", "litellm-hooks"),
        ("guardrails: [nonsense]", "guardrails[0]", "guard-external"),
        ("guardrails: {odd: shape}", "guardrails", "guard-external"),
        ("policies: {p: {}}", "policies", "guard-external"),
        ("mcp_servers: {s: {url: http://x, allowed_tools: [t]}}", "mcp_servers.s.allowed_tools", "mcp"),
        (ROW % (", max_budget: 5, budget_duration: 1d", ""), "model_list[0].litellm_params.max_budget", CLASSIC),
        (ROW % (", rpd: 5", ""), "model_list[0].litellm_params.rpd", "governance"),
        (ROW % ("", ", team_id: t"), "model_list[0].model_info.team_id", "governance"),
    ],
)  # fmt: skip
def test_a_protective_key_in_effect_is_reported_with_its_plugin_and_line(text: str, path: str, plugin: str) -> None:
    (key,) = config("\n" + text).protective
    assert (key.path, key.needs_plugin, key.file, key.line) == (path, plugin, "a.yaml", 2)
    assert plugin in key.message
    assert "accept_unenforced" in key.message


@pytest.mark.parametrize(
    ("text", "path", "level", "told"),
    [
        ("success_callback: [langfuse]", "success_callback[0]", "info", "the plugin callbacks alone"),
        ("failure_callback: s3", "failure_callback", "info", "the plugin callbacks alone"),
        ("callbacks: [prometheus]", "callbacks[0]", "info", "the plugin prometheus alone"),
        ("callbacks: [otel]", "callbacks[0]", "info", "the plugin otel alone"),
        ("success_callback: [nobody]", "success_callback[0]", "no_effect", "no plugin serves it"),
    ],
)
def test_an_observing_callback_is_told_with_the_plugin_that_serves_it(
    text: str, path: str, level: str, told: str
) -> None:
    (notice,) = config("litellm_settings: {" + text + "}").notices
    assert (notice.path, notice.level) == (f"litellm_settings.{path}", level)
    assert told in notice.message


@pytest.mark.parametrize(
    ("general", "plugin"),
    [
        ("allowed_ips: [10.0.0.1]", "governance"),
        ("allowed_routes: [llm_api_routes]", "governance"),
        ("max_parallel_requests: 0", "governance"),
        ("enable_jwt_auth: true", "oidc"),
        ("custom_auth: mine.check", "litellm-hooks"),
        ("max_response_size_mb: 5", "guard-content"),
        ("enforce_user_param: true", "governance"),
    ],
)
def test_protective_general_settings_are_reported(general: str, plugin: str) -> None:
    assert needs(config("", f", {general}")) == [(f"general_settings.{general.partition(':')[0]}", plugin)]


@pytest.mark.parametrize(
    "general",
    ["allowed_ips: []", "allowed_ips: null", "enable_jwt_auth: false", "custom_auth: ''", "role_permissions: {}",
     "litellm_jwtauth: {admin_jwt_scope: x}"],
)  # fmt: skip
def test_a_protective_key_without_an_effect_does_not_trip(general: str) -> None:
    assert needs(config("", f", {general}")) == []


@pytest.mark.parametrize(
    "text",
    [
        "router_settings: {routing_strategy: simple-shuffle, num_retries: 1, cooldown_time: 3, allowed_fails: 1}",
        "litellm_settings: {turn_off_message_logging: true, drop_params: true, ssl_verify: false, callbacks: [otel]}",
        "litellm_settings: {budget_duration: 1d}",
        ROW
        % (", rpm: 5, tpm: 6, weight: 2, order: 1, tags: [a], mock_testing_fallbacks: true, aws_region_name: x", ""),
    ],
)
def test_what_the_core_serves_needs_no_plugin(text: str) -> None:
    found = config(text)
    assert found.protective == ()
    assert [notice for notice in found.notices if notice.level == "warning"] == []


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("model_lst: []", "model_lst", "model_list"),
        ("router_settings: {num_retires: 3}", "router_settings.num_retires", "num_retries"),
        ("litellm_settings: {drop_parms: true}", "litellm_settings.drop_parms", "drop_params"),
        (ROW % (", api_bse: x", ""), "model_list[0].litellm_params.api_bse", "api_base"),
        (ROW % ("", ", access_group: [x]"), "model_list[0].model_info.access_group", "access_groups"),
        ("mcp_servers: {s: {allowed_tool: [x]}}", "mcp_servers.s.allowed_tool", "allowed_tools"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_name(text: str, path: str, hint: str) -> None:
    (notice,) = [notice for notice in config(text).notices if notice.level == "warning"]
    assert (notice.path, notice.line) == (path, 1)
    assert repr(hint) in notice.message


def test_a_mistyped_protective_setting_is_told() -> None:
    for general, hint in (("allowed_ip: [x]", "allowed_ips"), ("enable_jwt_auht: true", "enable_jwt_auth")):
        (notice,) = config("", f", {general}").notices
        assert (notice.level, repr(hint) in notice.message) == ("warning", True)


def test_parameters_for_the_provider_are_handed_on_without_a_word() -> None:
    found = config(ROW % (", some_new_provider_switch: 3", ", owner: me"))
    assert found.notices == ()
    assert found.models[0].litellm_params.extras == {"some_new_provider_switch": 3}
    assert found.models[0].model_info.extras == {"owner": "me"}


def test_a_neutral_key_is_told_once_for_all_rows() -> None:
    row = "{model_name: a, litellm_params: {model: openai/a, region_name: eu}}"
    (notice,) = config(f"model_list: [{row}, {row}]").notices
    assert (notice.level, notice.path) == ("no_effect", "model_list[0].litellm_params.region_name")


@pytest.mark.parametrize(
    "entry",
    ["model_list[0].litellm_params.max_budget", "model_list[].litellm_params.max_budget", "model_list"],
)
def test_accepted_keys_are_told_and_no_longer_wait_for_a_plugin(entry: str) -> None:
    text = ROW % (", max_budget: 5", "") + f"routeiq: {{compat: {{accept_unenforced: ['{entry}']}}}}"
    found = config(text)
    assert found.protective == ()
    (notice,) = found.notices
    assert (notice.level, notice.path) == ("info", "model_list[0].litellm_params.max_budget")


def test_an_accepted_entry_that_matches_nothing_is_told_with_a_hint() -> None:
    text = "litellm_settings: {max_budget: 5}\nrouteiq: {compat: {accept_unenforced: [litellm_settings.max_budgt]}}"
    found = config(text)
    assert needs(found) == [("litellm_settings.max_budget", "governance")]
    (notice,) = found.notices
    assert notice.level == "warning"
    assert "'litellm_settings.max_budget'" in notice.message


@pytest.mark.parametrize("text", ["model_lst: []", "litellm_settings: {cache: true}", "a_b_c: 1", "x: os.environ/GONE"])
def test_strict_mode_stops_at_what_is_otherwise_told(text: str) -> None:
    config(text)
    for written, strict in ((text, True), (text + "\nrouteiq: {strict: true}", None)):
        with pytest.raises(ConfigErrors, match=r"a\.yaml:1: .*strict mode"):
            config(written, strict=strict)
    config(text + "\nrouteiq: {strict: true}", strict=False)


def test_strict_mode_lets_pass_what_a_plugin_may_serve() -> None:
    config("litellm_settings: {success_callback: [otel]}", strict=True)
