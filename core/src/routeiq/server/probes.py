"""The table of engines against malformed requests: reads `probes.toml`, renders it for the documentation.

Sending the probes is the tests' work. `python -m routeiq.server.probes` prints the Markdown.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files

ENGINES = ("hypercorn", "uvicorn", "granian")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    name: str
    title: str
    send: str
    expect: dict[str, str]
    pad_kib: int = 0
    answers: int = 1
    leak: str | None = None
    cannot: dict[str, str] = field(default_factory=dict)
    note: dict[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        return self.send.replace("{pad}", "a" * self.pad_kib * 1024).encode("latin-1")


def load_probes() -> list[Probe]:
    text = files("routeiq.server").joinpath("probes.toml").read_text(encoding="utf-8")
    return [Probe(**fields) for fields in tomllib.loads(text)["probe"]]


def markdown() -> str:
    """One row a probe; what an engine cannot refuse is bold, and explained below the table."""
    probes = load_probes()
    lines = [
        "| request | " + " | ".join(ENGINES) + " |",
        "|---|" + "---|" * len(ENGINES),
    ]
    remarks: list[str] = []
    for probe in probes:
        cells = [_cell(probe, engine, remarks) for engine in ENGINES]
        lines.append(f"| {probe.title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *remarks, ""])


def _cell(probe: Probe, engine: str, remarks: list[str]) -> str:
    outcome = probe.expect[engine]
    reason = probe.cannot.get(engine) or probe.note.get(engine)
    if reason is not None:
        remarks.append(f"{len(remarks) + 1}. {engine}, {probe.title}: {reason}.")
        outcome = f"**{outcome}**" if engine in probe.cannot else outcome
        return f"{outcome} ({len(remarks)})"
    return outcome


if __name__ == "__main__":
    sys.stdout.write(markdown())
