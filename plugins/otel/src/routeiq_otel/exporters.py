"""Span exporters of the OpenTelemetry ecosystem: found by their entry points' names, and made.

What they are given, and when, is in `exporter_transport`. Imported only when one is configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points

from opentelemetry.sdk.trace.export import SpanExporter

from routeiq_otel.exporter_transport import ExporterTransport, in_thread, told_of
from routeiq_otel.readable import Readable
from routeiq_sdk import PluginError

GROUP = "opentelemetry_traces_exporter"
"""The registry that OpenTelemetry's own SDK looks into."""


async def opened(plugin: str, names: Sequence[str], resource: Mapping[str, str | int]) -> list[ExporterTransport]:
    """Ways to these exporters. Raises `PluginError` for one that is not installed or cannot be made; then none is
    left open. They are made in a thread, since some of them ask the network who they are."""
    installed = {point.name: point for point in entry_points(group=GROUP)}
    unknown = [name for name in names if name not in installed]
    if unknown:
        there = ", ".join(sorted({*installed, "otlp"}))
        raise PluginError(
            plugin,
            f"no span exporter is named {unknown[0]!r}. There are: {there}.",
            mend="install the exporter's package, or correct `exporters` (or OTEL_TRACES_EXPORTER)",
        )
    readable, ways = Readable(resource), list[ExporterTransport]()
    for name in names:
        made = await in_thread(partial(_made, installed[name]), f"otel exporter {name}")
        if isinstance(made, str):
            for way in ways:
                await way.close()
            raise PluginError(
                plugin,
                f"the span exporter {name!r} cannot be made: {made}.",
                mend="its documentation says which variables it needs",
            )
        ways.append(ExporterTransport(name, made, readable))
    return ways


def receivers(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The addresses that exporters take from variables, as OpenTelemetry names them, with the variable of each."""
    for name, value in environment.items():
        if name.startswith("OTEL_EXPORTER_") and name.endswith("_ENDPOINT") and value.strip():
            yield name, value.strip()


def _made(point: EntryPoint) -> SpanExporter | str:
    """The exporter, or what went wrong."""
    try:
        made = point.load()()
    except BaseException as error:  # foreign code, and no exit of its thread shall look like silence
        return told_of(error)
    return made if isinstance(made, SpanExporter) else "it is no SpanExporter"
