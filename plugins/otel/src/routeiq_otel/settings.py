"""What is exported, and where to: the YAML's word, else the `OTEL_*` variables' (opentelemetry.io, "SDK environment
variables"), else LiteLLM's own. Nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from routeiq_otel import names, vendors
from routeiq_otel.config import OtelConfig, Protocol
from routeiq_otel.endpoints import DEFAULT_GRPC, DEFAULT_HTTP, checked, signal_url
from routeiq_otel.sampling import Head
from routeiq_sdk import Secret

Signal = Literal["traces", "metrics", "logs"]
Temporality = Literal["cumulative", "delta", "lowmemory"]
OTLP = "otlp"
"""The name of our own writer among the exporters."""
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
_TEMPORALITIES: Mapping[str, Temporality] = {"cumulative": "cumulative", "delta": "delta", "lowmemory": "lowmemory"}
_PROTOCOLS: Mapping[str, Protocol] = {
    "http/protobuf": "http/protobuf",
    "http": "http/protobuf",
    "otlp_http": "http/protobuf",
    "grpc": "grpc",
    "otlp_grpc": "grpc",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One receiver of one signal. `url` is complete; `headers` hold its secrets."""

    signal: Signal
    url: str
    protocol: Protocol
    headers: Mapping[str, Secret]
    gzip: bool = False
    timeout_seconds: float = 10.0
    certificate: str | None = None
    insecure: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the configuration and the environment say. `exporters` are names of the ecosystem's span
    exporters. Neither those nor destinations means idle; `why_idle` says why."""

    destinations: tuple[Destination, ...] = ()
    exporters: tuple[str, ...] = ()
    resource: Mapping[str, str]
    head: Head
    interval_seconds: float
    temporality: Temporality
    why_idle: str = ""
    notices: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing is exported."""
        return not self.destinations and not self.exporters

    @property
    def traced(self) -> bool:
        """Whether anybody gets traces."""
        return bool(self.exporters or self.of("traces"))

    def of(self, signal: Signal) -> tuple[Destination, ...]:
        """The destinations of one signal."""
        return tuple(each for each in self.destinations if each.signal == signal)


def settle(config: OtelConfig, env: Mapping[str, str]) -> Settings:
    """Work the settings out. Raises `ValueError` that names a variable whose value cannot be used."""
    told = {name: value.strip() for name, value in env.items() if value.strip()}
    destinations, notices = [], list[str]()
    exporters: tuple[str, ...] = ()
    if told.get("OTEL_SDK_DISABLED", "").lower() != "true":
        for signal in SIGNALS:
            if _wanted(config, told, signal):
                own = _destination(config, told, signal)
                destinations += [own] if own is not None else []
        found, notices = vendors.destinations(config.callback_names, told)
        destinations += [Destination(signal="traces", protocol="http/protobuf", **each) for each in found]
        exporters = tuple(name for name in _exporters(config, told) if name != OTLP) if config.traces else ()
        notices += _unused_endpoint(config)
    return Settings(
        destinations=tuple(destinations),
        exporters=exporters,
        resource=_resource(config, told),
        head=_head(config, told),
        interval_seconds=config.metric_interval_seconds or _number(told, "OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000,
        temporality=_temporality(told),
        why_idle="" if destinations or exporters else _why_idle(told),
        notices=tuple(notices),
    )


def _why_idle(env: Mapping[str, str]) -> str:
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "OTEL_SDK_DISABLED is true"
    return "no endpoint: write routeiq.plugins.otel.endpoint, or set OTEL_EXPORTER_OTLP_ENDPOINT"


def _wanted(config: OtelConfig, env: Mapping[str, str], signal: Signal) -> bool:
    if not getattr(config, signal):
        return False
    if signal == "traces":
        return OTLP in _exporters(config, env)
    return env.get(f"OTEL_{signal.upper()}_EXPORTER", OTLP).lower() != "none"


def _exporters(config: OtelConfig, env: Mapping[str, str]) -> list[str]:
    """Who gets traces, each once. `otlp` is ourselves, `none` nobody."""
    told = config.exporters or env.get("OTEL_TRACES_EXPORTER", OTLP).split(",")
    names = (name.strip() for name in told)
    own = (name.lower() if name.lower() in (OTLP, "none") else name for name in names)
    return [name for name in dict.fromkeys(own) if name and name != "none"]


def _unused_endpoint(config: OtelConfig) -> list[str]:
    written = config.traces_endpoint is not None or config.endpoint is not None
    if not (written and config.exporters and config.traces) or OTLP in _exporters(config, {}):
        return []
    return ["no traces go to the endpoint, since `exporters` does not name otlp"]


def _destination(config: OtelConfig, env: Mapping[str, str], signal: Signal) -> Destination | None:
    protocol = config.protocol or _protocol(env, signal)
    url = _url(config, env, signal, protocol)
    if url is None:
        return None
    return Destination(
        signal=signal,
        url=url,
        protocol=protocol,
        headers=config.headers or _headers(env, signal),
        gzip=(config.compression or _own(env, signal, "COMPRESSION") or "none").lower() == "gzip",
        timeout_seconds=config.timeout_seconds or _timeout(env, signal),
        certificate=config.certificate or _own(env, signal, "CERTIFICATE"),
        insecure=(_own(env, signal, "INSECURE") or "").lower() == "true",
    )


def _url(config: OtelConfig, env: Mapping[str, str], signal: Signal, protocol: Protocol) -> str | None:
    http = protocol == "http/protobuf"
    whole: str | None = getattr(config, f"{signal}_endpoint")
    base = config.endpoint
    if whole is None and base is None:
        whole = env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        if whole is None and base is None and _switched_on(config):
            base = env.get("OTEL_ENDPOINT", DEFAULT_HTTP if http else DEFAULT_GRPC)
            base = base.rstrip("/").removesuffix(f"/v1/{signal}")
    if whole is not None:
        return _usable(whole, http)
    if base is None:
        return None
    return signal_url(_usable(base, http), signal) if http else base


def _usable(url: str, http: bool) -> str:
    if not http:
        return url
    try:
        return checked(url)
    except ValueError as error:
        raise ValueError(f"the endpoint of telemetry: {error}") from None


def _switched_on(config: OtelConfig) -> bool:
    return config.otel or "otel" in config.callback_names


def _own(env: Mapping[str, str], signal: Signal, name: str) -> str | None:
    return env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}")


def _protocol(env: Mapping[str, str], signal: Signal) -> Protocol:
    told = _own(env, signal, "PROTOCOL")
    if told is None:
        return _PROTOCOLS.get(env.get("OTEL_EXPORTER", "").lower(), "http/protobuf")
    known = _PROTOCOLS.get(told.lower())
    if known is None:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={told} is not spoken here; set http/protobuf or grpc")
    return known


def _headers(env: Mapping[str, str], signal: Signal) -> dict[str, Secret]:
    told = _own(env, signal, "HEADERS") or env.get("OTEL_HEADERS", "")
    return {name: Secret(value) for name, value in _pairs(told).items()}


def _pairs(told: str) -> dict[str, str]:
    """`name=value,name=value`, percent-encoded, as in W3C Baggage. What is no pair is left out."""
    pairs = (item.split("=", 1) for item in told.split(",") if "=" in item)
    return {unquote(name).strip(): unquote(value).strip() for name, value in pairs if name.strip()}


def _timeout(env: Mapping[str, str], signal: Signal) -> float:
    name = f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT"
    return _number(env, name if name in env else "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000) / 1000


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    told = env.get(name)
    if told is None:
        return default
    try:
        value = float(told)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}={told} is no number of milliseconds")
    return value


def _resource(config: OtelConfig, env: Mapping[str, str]) -> dict[str, str]:
    resource = {names.SERVICE_NAME: "routeiq", **_pairs(env.get("OTEL_RESOURCE_ATTRIBUTES", ""))}
    if "OTEL_SERVICE_NAME" in env:
        resource[names.SERVICE_NAME] = env["OTEL_SERVICE_NAME"]
    resource.update(config.resource)
    if config.service_name is not None:
        resource[names.SERVICE_NAME] = config.service_name
    return resource


def _head(config: OtelConfig, env: Mapping[str, str]) -> Head:
    if config.sample is not None:
        return Head(config.sample)
    told = env.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").lower()
    kind = told.removeprefix("parentbased_")
    if kind not in ("always_on", "always_off", "traceidratio"):
        raise ValueError(f"OTEL_TRACES_SAMPLER={told} is unknown; set parentbased_traceidratio, or write `sample`")
    ratio = {"always_on": 1.0, "always_off": 0.0}.get(kind)
    return Head(_ratio(env) if ratio is None else ratio, parent_based=kind != told)


def _ratio(env: Mapping[str, str]) -> float:
    told = env.get("OTEL_TRACES_SAMPLER_ARG", "1.0")
    try:
        ratio = float(told)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG={told} is no share from 0 to 1")
    return ratio


def _temporality(env: Mapping[str, str]) -> Temporality:
    told = env.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative").lower()
    known = _TEMPORALITIES.get(told)
    if known is not None:
        return known
    raise ValueError(
        f"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE={told} is none of cumulative, delta, lowmemory"
    )
