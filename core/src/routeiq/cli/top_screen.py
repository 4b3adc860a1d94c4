"""What `routeiq top` draws: the figures of one look as tables.

Where they come from is the command's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_BARS = " ▁▂▃▄▅▆▇█"
_MOST_ROWS = 15
_MOST_SERVERS = 8
_LONGEST_NAME = 48


def screen(told: Mapping[str, Any], url: str) -> RenderableType:
    """One look as tables."""
    first, latency = told["first_token_ms"], told["latency_ms"]
    head = Table.grid(padding=(0, 3))
    head.add_row(
        Text(f"RouteIQ {told['version']}", style="bold"),
        _plain(url),
        f"up {_span(told['uptime_seconds'])}",
        f"{told['workers']} worker{'s' if told['workers'] != 1 else ''}",
        _plain(f"config {told['config'][:12]}"),
        _plain(f"store {told['state']['store']}{'' if told['state']['status'] == 'ok' else ' AWAY'}"),
    )
    figures = Table(box=None, pad_edge=False, header_style="dim")
    names = ("requests/s", "errors/s", "first token p50", "p95", "latency p50", "p95", "tokens/s", "USD/h", "in flight")
    for name in (*names, "shed"):
        figures.add_column(name, justify="right")
    figures.add_row(
        f"{told['requests_per_second']:.1f}",
        Text(f"{told['errors_per_second']:.1f}", style="red" if told["errors_per_second"] else ""),
        _ms(first["p50"]),
        _ms(first["p95"]),
        _ms(latency["p50"]),
        _ms(latency["p95"]),
        f"{told['tokens_per_second']:.0f}",
        f"{told['cost_usd_per_hour']:.4f}",
        str(told["in_flight"]),
        Text(str(told["shed"]), style="red" if told["shed"] else ""),
    )
    return Group(
        head,
        Text(_spark(told["by_second"]), style="green"),
        figures,
        Text(""),
        _models(told["models"]),
        Text(""),
        *_tools(told.get("tools") or {}),
        _counts(told),
    )


def _models(models: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True, max_width=_LONGEST_NAME)
    for name in ("requests/s", "share", "errors", "attempts", "first token p50", "p95", "USD/h"):
        table.add_column(name, justify="right")
    for name, told in list(models.items())[:_MOST_ROWS]:
        table.add_row(
            _plain(name),
            f"{told['requests_per_second']:.1f}",
            f"{told['share']:.0%}",
            Text(str(told["errors"]), style="red" if told["errors"] else ""),
            str(told["attempts"]),
            _ms(told["first_token_ms"]["p50"]),
            _ms(told["first_token_ms"]["p95"]),
            f"{told['cost_usd_per_hour']:.4f}",
        )
    if len(models) > _MOST_ROWS:
        table.add_row(Text(f"and {len(models) - _MOST_ROWS} more", style="dim"))
    if not models:
        table.add_row(Text("no request in the last minute", style="dim"))
    return table


def _tools(servers: Mapping[str, Any]) -> Sequence[RenderableType]:
    """Nothing where no tool is called: most gateways have none. One of an earlier version does not tell them."""
    if not servers:
        return ()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("tools of", no_wrap=True, max_width=_LONGEST_NAME)
    for name in ("calls/s", "errors", "refused", "duration p50", "p95"):
        table.add_column(name, justify="right")
    for name, told in list(servers.items())[:_MOST_SERVERS]:
        table.add_row(
            _plain(name),
            f"{told['calls_per_second']:.1f}",
            Text(str(told["errors"]), style="red" if told["errors"] else ""),
            Text(str(told["refused"]), style="yellow" if told["refused"] else ""),
            _ms(told["duration_ms"]["p50"]),
            _ms(told["duration_ms"]["p95"]),
        )
    if len(servers) > _MOST_SERVERS:
        table.add_row(Text(f"and {len(servers) - _MOST_SERVERS} more", style="dim"))
    return table, Text("")


def _counts(told: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    lost = told["events_lost"] + told["records_lost"]
    rows = (
        ("decided by", _listed(told["strategies"]), ""),
        ("refused at", _listed(told["refused"]), "yellow"),
        ("breakers open", ", ".join(f"{id[:12]} {left:.0f} s" for id, left in told["benched"].items()), "red"),
        ("telemetry lost", str(lost) if lost else "", "red"),
        ("plugins failed", _listed(told["hook_errors"]), "red"),
        ("not well", "; ".join(told["unwell"]), "red"),
    )
    for name, value, style in rows:
        table.add_row(Text(name, style="dim"), _plain(value or "-", style if value else "dim"))
    return table


def _plain(text: str, style: str = "") -> Text:
    """Words of others, such as a model's name that a client made up: no markup, and no commands to a terminal."""
    return Text("".join(letter if letter.isprintable() else "?" for letter in text), style=style)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _spark(counts: list[int]) -> str:
    most = max(counts, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, -(-count * (len(_BARS) - 1) // most))] for count in counts)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {rest} s" if minutes else f"{rest} s"
