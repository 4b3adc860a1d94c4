"""Our words for the conventions' attributes and metrics are theirs, by the package that publishes them."""

from __future__ import annotations

from importlib import import_module

from routeiq_otel import names
from routeiq_otel.instruments import Instruments

OWN = ("routeiq.", "router.", "a2a.")
"""Of A2A there is no convention."""
OWN_METRICS = {"gen_ai.client.tokens_per_second"}


def constants(module: str) -> set[str]:
    found = vars(import_module(f"opentelemetry.semconv.{module}"))
    return {value for value in found.values() if isinstance(value, str)}


def published() -> set[str]:
    groups = ("gen_ai", "mcp", "http", "error", "server", "client", "user", "enduser", "service", "host", "process")
    groups += ("jsonrpc", "rpc", "network")
    return set().union(*(constants(f"_incubating.attributes.{group}_attributes") for group in groups))


def ours() -> dict[str, str]:
    return {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def test_every_attribute_is_the_conventions_or_has_our_prefix() -> None:
    metrics = (
        constants("_incubating.metrics.gen_ai_metrics") | constants("_incubating.metrics.mcp_metrics") | OWN_METRICS
    )
    strange = {value for value in ours().values() if not value.startswith(OWN)} - published() - metrics
    assert strange == set()


def test_no_word_is_written_twice() -> None:
    values = list(ours().values())
    assert len(values) == len(set(values))


def test_operations_and_providers_are_known_words() -> None:
    module = import_module("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    operations = {each.value for each in module.GenAiOperationNameValues}
    providers = {each.value for each in module.GenAiProviderNameValues}
    assert {*names.OPERATIONS.values(), *names.TOOL_OPERATIONS.values()} <= operations
    assert set(names.PROVIDERS.values()) - {"aws.sagemaker"} <= providers


def test_metrics_have_the_conventions_units() -> None:
    from opentelemetry.sdk.metrics import MeterProvider

    modules = [
        import_module(f"opentelemetry.semconv._incubating.metrics.{group}_metrics") for group in ("gen_ai", "mcp")
    ]
    meter = MeterProvider().get_meter("test")
    published = {
        made.name: made.unit
        for module in modules
        for name, make in vars(module).items()
        if name.startswith(("create_gen_ai", "create_mcp"))
        for made in [make(meter)]
    }
    ours = {each.name: each.unit for each in Instruments(10).histograms if each.name in published}
    assert len(ours) == 9
    assert ours == {name: published[name] for name in ours}


def test_metrics_of_our_own_begin_with_gateway() -> None:
    instruments = Instruments(10)
    every = [*(each.name for each in instruments.sums), *(each.name for each in instruments.histograms)]
    assert len(every) == len(set(every))
    assert {name for name in every if not name.startswith("gateway.")} <= {
        name for name in ours().values() if name.startswith(("gen_ai.", "mcp."))
    }
