"""The YAML's word counts, then the standard variables, then LiteLLM's; what cannot be used is named."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.resources import OTELResourceDetector
from pydantic import ValidationError

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_otel.config import OtelConfig
from routeiq_otel.endpoints import grpc_target
from routeiq_otel.plugin import Otel
from routeiq_otel.settings import Settings, settle
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway

GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"


def settings(env: dict[str, str] | None = None, **config: Any) -> Settings:
    return settle(OtelConfig.model_validate(config), env or {})


def urls(found: Settings) -> dict[str, str]:
    return {to.signal: to.url for to in found.destinations}


def test_without_an_endpoint_nothing_is_exported_and_it_says_why() -> None:
    found = settings()
    assert found.destinations == ()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found.why_idle


def test_signals_have_their_paths_below_the_endpoint() -> None:
    assert urls(settings(endpoint="http://127.0.0.1:4318/otlp/", logs=True)) == {
        "traces": "http://127.0.0.1:4318/otlp/v1/traces",
        "metrics": "http://127.0.0.1:4318/otlp/v1/metrics",
        "logs": "http://127.0.0.1:4318/otlp/v1/logs",
    }


def test_a_signals_own_endpoint_is_called_as_it_is_written() -> None:
    env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://example.com/in", GENERAL: "http://example.com:4318"}
    assert urls(settings(env)) == {"traces": "http://example.com/in", "metrics": "http://example.com:4318/v1/metrics"}
    assert urls(settings(metrics_endpoint="http://example.com/m")) == {"metrics": "http://example.com/m"}


def test_the_yaml_wins_over_the_environment() -> None:
    env = {
        GENERAL: "http://example.com:1",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://example.com:2",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_SERVICE_NAME": "theirs",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    found = settings(
        env,
        endpoint="http://127.0.0.1:9",
        headers={"b": "2"},
        protocol="http/protobuf",
        service_name="ours",
        sample=0.5,
        metric_interval_seconds=5,
        timeout_seconds=3,
        compression="none",
    )
    to = found.of("traces")[0]
    assert (to.url, to.protocol, to.gzip, to.timeout_seconds) == (
        "http://127.0.0.1:9/v1/traces",
        "http/protobuf",
        False,
        3,
    )
    assert {name: value.reveal() for name, value in to.headers.items()} == {"b": "2"}
    assert found.resource["service.name"] == "ours"
    assert (found.head.ratio, found.interval_seconds) == (0.5, 5)


def test_the_standard_variables_are_honoured() -> None:
    env = {
        GENERAL: "http://example.com:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,b=2",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "c=3",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_METRIC_EXPORT_INTERVAL": "15000",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "DELTA",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    found = settings(env, logs=True)
    traces, metrics = found.of("traces")[0], found.of("metrics")[0]
    assert found.of("logs") == ()
    assert (traces.protocol, traces.url) == ("grpc", "http://example.com:4318")
    assert metrics.protocol == "http/protobuf"
    assert {name: value.reveal() for name, value in traces.headers.items()} == {"authorization": "Bearer x", "b": "2"}
    assert list(metrics.headers) == ["c"]
    assert (metrics.gzip, metrics.timeout_seconds, found.interval_seconds) == (True, 2.5, 15.0)
    assert found.temporality == "delta"
    assert (found.head.ratio, found.head.parent_based) == (0.25, True)


def test_exporters_of_traces_are_the_yamls_else_the_variables_else_otlp() -> None:
    env = {GENERAL: "http://example.com:4318", "OTEL_TRACES_EXPORTER": " console, OTLP ,zipkin,console"}
    found = settings(env)
    assert found.exporters == ("console", "zipkin")
    assert list(urls(found)) == ["traces", "metrics"]
    found = settings(env, exporters=["console"])
    assert found.exporters == ("console",)
    assert list(urls(found)) == ["metrics"]
    found = settings({**env, "OTEL_TRACES_EXPORTER": "none"})
    assert (found.exporters, list(urls(found)), found.traced) == ((), ["metrics"], False)
    assert settings(env, traces=False).exporters == ()
    assert settings({**env, "OTEL_SDK_DISABLED": "true"}, exporters=["console"]).idle


def test_an_exporter_needs_no_endpoint() -> None:
    found = settings(exporters=["console"])
    assert (found.idle, found.traced, found.destinations, found.why_idle) == (False, True, (), "")
    assert settings(exporters=["otlp"]).idle
    assert settings(exporters=["none"], traces_endpoint="http://127.0.0.1:4318").idle


def test_an_endpoint_that_gets_no_traces_for_its_name_is_missing_is_told_of() -> None:
    endpoint = "http://127.0.0.1:4318"
    (notice,) = settings(endpoint=endpoint, exporters=["console"]).notices
    assert "otlp" in notice
    assert settings(endpoint=endpoint, exporters=["console", "otlp"]).notices == ()
    assert settings(metrics_endpoint=endpoint, exporters=["console"]).notices == ()


def test_the_kill_switch_stops_everything() -> None:
    found = settings({"OTEL_SDK_DISABLED": "true"}, endpoint="http://127.0.0.1:4318", callbacks=["otel"])
    assert found.destinations == ()
    assert "OTEL_SDK_DISABLED" in found.why_idle


def test_the_resource_is_read_as_the_sdk_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"OTEL_RESOURCE_ATTRIBUTES": "a=b, c=d%20e,service.name=x,broken", "OTEL_SERVICE_NAME": "named"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert settings(env).resource == dict(OTELResourceDetector().detect().attributes)
    assert settings({}).resource == {"service.name": "routeiq"}
    assert settings(env, resource={"a": "ours"}).resource["a"] == "ours"


@pytest.mark.parametrize(
    "config",
    [{"otel": True}, {"callbacks": ["otel"]}, {"success_callback": "otel"}, {"failure_callback": ["x", "otel"]}],
)
def test_litellms_keys_switch_export_on(config: dict[str, Any]) -> None:
    assert urls(settings(**config))["traces"] == "http://localhost:4318/v1/traces"
    env = {"OTEL_ENDPOINT": "http://example.com:4318/v1/traces", "OTEL_HEADERS": "a=1"}
    found = settings(env, **config)
    assert urls(found)["traces"] == "http://example.com:4318/v1/traces"
    assert list(found.of("traces")[0].headers) == ["a"]
    assert settings({"OTEL_EXPORTER": "otlp_grpc"}, **config).of("traces")[0].url == "http://localhost:4317"


def test_callbacks_of_other_kinds_switch_nothing_on() -> None:
    assert settings(callbacks=["prometheus", "my.module.object", 7]).destinations == ()


def test_vendors_of_litellm_get_traces_with_their_headers() -> None:
    env = {
        "LANGFUSE_PUBLIC_KEY": "pk",
        "LANGFUSE_SECRET_KEY": "sk",
        "LANGFUSE_HOST": "http://example.com",
        "PHOENIX_COLLECTOR_ENDPOINT": "http://example.com:6006",
        "ARIZE_SPACE_ID": "s",
        "ARIZE_API_KEY": "k",
    }
    found = settings(env, callbacks=["langfuse_otel", "arize", "arize_phoenix"])
    assert [to.url for to in found.destinations] == [
        "http://example.com/api/public/otel/v1/traces",
        "https://otlp.arize.com/v1/traces",
        "http://example.com:6006/v1/traces",
    ]
    assert found.destinations[0].headers["authorization"].reveal() == "Basic cGs6c2s="
    assert {name: value.reveal() for name, value in found.destinations[1].headers.items()} == {
        "space_id": "s",
        "api_key": "k",
    }


def test_a_vendor_without_its_key_is_off_and_says_so() -> None:
    found = settings(callbacks=["langfuse_otel"])
    assert found.destinations == ()
    assert found.notices == ("the callback langfuse_otel is off: the variable LANGFUSE_PUBLIC_KEY is not set",)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({GENERAL: "not a url"}, "the endpoint of telemetry"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", GENERAL: "http://example.com"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "OTEL_TRACES_SAMPLER"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, "OTEL_TRACES_SAMPLER_ARG"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "soon"}, "OTEL_METRIC_EXPORT_INTERVAL"),
        ({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "x"}, "TEMPORALITY_PREFERENCE"),
    ],
)
async def test_a_variable_that_cannot_be_used_stops_the_start(
    env: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=named):
        settings(env)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    plugin = Otel(OtelConfig())
    assert "record" in plugin.idle_hooks
    with pytest.raises(PluginError, match=named):
        await plugin.setup(FakeGateway("otel"))


@pytest.mark.parametrize(
    "config",
    [
        {"endpoint": "127.0.0.1:4318"},
        {"endpoint": "ftp://example.com"},
        {"endpoint": "http://user:secret@example.com"},
        {"endpoint": "http://[::1"},
        {"sample": 1.5},
        {"protocol": "http/json"},
        {"tail": {"unknown": 1}},
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        OtelConfig.model_validate(config)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "insecure", "target"),
    [
        ("http://example.com:4317", None, ("example.com:4317", False)),
        ("https://example.com", None, ("example.com:443", True)),
        ("http://example.com", None, ("example.com:4317", False)),
        ("example.com:4317", True, ("example.com:4317", False)),
        ("example.com:4317", None, ("example.com:4317", True)),
        ("http://[::1]:4317", None, ("[::1]:4317", False)),
    ],
)
def test_where_grpc_goes(url: str, insecure: bool | None, target: tuple[str, bool]) -> None:
    assert grpc_target(url, insecure) == target


METADATA = pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254:4317",
        "http://[fd00:ec2::254]:4317",
        "http://[::ffff:169.254.169.254]:4317",
        "http://metadata.google.internal:80",
        "http://metadata.google.internal.:80",
        "http://rebound.example:4317",
    ],
)


@pytest.fixture
def guarded() -> FakeGateway:
    """A handle with the gateway's own egress, to which every name is a metadata address."""

    async def look_up(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "169.254.169.254"]

    gateway = FakeGateway("otel")
    gateway.egress = PluginEgress(Egress(EgressPolicy(), lookup=look_up))  # type: ignore[assignment]
    return gateway


@METADATA
async def test_grpc_never_goes_to_a_clouds_metadata(url: str, guarded: FakeGateway) -> None:
    plugin = Otel(OtelConfig(endpoint=url, protocol="grpc"))
    with pytest.raises(PluginError, match="the receiver of traces"):
        await plugin.setup(guarded)
    await plugin.teardown()


@METADATA
async def test_a_named_exporter_is_not_told_a_clouds_metadata(
    url: str, guarded: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", url)
    plugin = Otel(OtelConfig(exporters=("zipkin",)))
    with pytest.raises(PluginError, match="OTEL_EXPORTER_ZIPKIN_ENDPOINT"):
        await plugin.setup(guarded)
    await plugin.teardown()
