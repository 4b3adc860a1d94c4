"""A span exporter of somebody else's distribution, as a package manager would leave it, and what it was given."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

SOURCE = """
import threading
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

MADE = []

class Probe(SpanExporter):
    fails = None
    answer = SpanExportResult.SUCCESS

    def __init__(self):
        self.batches, self.threads, self.calls, self.ended = [], set(), 0, 0
        self.open, self.called = threading.Event(), threading.Event()
        self.open.set()
        MADE.append(self)

    def export(self, spans):
        self.calls += 1
        self.threads.add(threading.current_thread())
        self.called.set()
        self.open.wait()
        if self.fails is not None:
            raise self.fails
        self.batches.append(list(spans))
        return self.answer

    def shutdown(self):
        self.ended += 1

class Unmakable(SpanExporter):
    def __init__(self):
        raise ValueError("no address; the key is sk-probe-0a1b2c3d4e5f6a7b")

def stranger():
    return object()
"""
_POINTS = "probe = {0}:Probe\nunmakable = {0}:Unmakable\nstranger = {0}:stranger\nmissing = {0}:Missing\n"


class Exporters:
    """Registers the exporters `probe`, `unmakable`, `stranger` and `missing`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = "fixture_span_exporters"

    def install(self) -> None:
        info = self.folder / f"{self._name}-1.0.dist-info"
        info.mkdir(parents=True)
        (self.folder / f"{self._name}.py").write_text(SOURCE, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.0\n", encoding="utf-8")
        points = f"[opentelemetry_traces_exporter]\n{_POINTS.format(self._name)}"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()

    def remove(self) -> None:
        for probe in self.made:
            probe.open.set()
        sys.path.remove(str(self.folder))
        sys.modules.pop(self._name, None)
        importlib.invalidate_caches()

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(self._name)

    @property
    def made(self) -> list[Any]:
        """The probes that were made, oldest first."""
        made: list[Any] = self.module.MADE
        return made

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that probes took."""
        return [span for probe in self.made for batch in probe.batches for span in batch]

    @property
    def servers(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.SERVER]


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent, as OTLP's bytes in hex."""
    assert span.context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent is not None else ""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


def foreign(threads: Sequence[threading.Thread]) -> bool:
    """Whether none of these is the thread of the gateway, and none keeps the process from ending."""
    return all(thread is not threading.main_thread() and thread.daemon for thread in threads)
