"""`routeiq top`: how a running gateway is doing, live in a terminal or as lines of JSON.

The figures come from the gateway (`/routeiq/v1/live`); what they mean is told at `routeiq.telemetry.live`.
"""

from __future__ import annotations

import json
import select
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

_SECONDS = 10.0
_BARS = " ▁▂▃▄▅▆▇█"
_MOST_ROWS = 15


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Away(Exception):
    """The gateway does not answer, or not with figures. Says why in one line; `final` when waiting mends nothing."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message)


@click.command()
@click.option("--url", default="http://127.0.0.1:4000", envvar="ROUTEIQ_URL", show_default=True, help="The gateway.")
@click.option(
    "--key",
    envvar=["ROUTEIQ_API_KEY", "ROUTEIQ_MASTER_KEY", "LITELLM_MASTER_KEY"],
    help="A key that may read the gateway's state; better in ROUTEIQ_API_KEY.",
)
@click.option("--interval", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print one look and end.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a look.")
def top(url: str, key: str | None, interval: float, once: bool, as_json: bool) -> None:
    """Watch a running gateway: requests, first tokens, cost, models, refusals, breakers."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError("--url is the address of the gateway, such as http://127.0.0.1:4000")
    if not key:
        raise click.UsageError("a key is needed: set ROUTEIQ_API_KEY")
    if as_json:
        _print_lines(url, key, interval, once)
        return
    console = Console()
    if once or not console.is_terminal:
        try:
            console.print(screen(look(url, key), url))
        except Away as away:
            raise click.ClickException(str(away)) from None
        return
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                live.update(screen(look(url, key), url), refresh=True)
            except Away as away:
                if away.final:
                    raise click.ClickException(str(away)) from None
                live.update(Text(f"{away}; trying again", style="bold red"), refresh=True)
            if pressed(interval) == "q":
                return


def look(url: str, key: str) -> dict[str, Any]:
    """The figures of now. Raises `Away`."""
    address = url.rstrip("/") + "/routeiq/v1/live"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})  # noqa: S310 (http or https)
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_SECONDS) as answer:
            told = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise Away(f"{url} does not accept this key ({error.code})", final=True) from None
        raise Away(f"{url} answers {error.code}: is it a RouteIQ gateway?") from None
    except (OSError, HTTPException) as error:
        raise Away(f"no gateway answers at {url}: {getattr(error, 'reason', None) or error}") from None
    except ValueError:
        raise Away(f"{url} does not answer as a gateway does: is the address right?", final=True) from None
    if not isinstance(told, dict) or "requests_per_second" not in told:
        raise Away(f"{url} does not answer as a gateway does: is the address right?", final=True)
    return told


def screen(told: Mapping[str, Any], url: str) -> RenderableType:
    """One look as tables."""
    first = told["first_token_ms"]
    head = Table.grid(padding=(0, 3))
    head.add_row(
        Text(f"RouteIQ {told['version']}", style="bold"),
        url,
        f"up {_span(told['uptime_seconds'])}",
        f"{told['workers']} worker{'s' if told['workers'] != 1 else ''}",
        f"config {str(told['config'])[:12]}",
        f"store {told['state']['store']}{'' if told['state']['status'] == 'ok' else ' AWAY'}",
    )
    figures = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("requests/s", "errors/s", "first token p50", "p95", "tokens/s", "USD/h", "in flight", "shed"):
        figures.add_column(name, justify="right")
    figures.add_row(
        f"{told['requests_per_second']:.1f}",
        Text(f"{told['errors_per_second']:.1f}", style="red" if told["errors_per_second"] else ""),
        _ms(first["p50"]),
        _ms(first["p95"]),
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
        _counts(told),
        Text("q quits", style="dim"),
    )


def _models(models: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model")
    for name in ("requests/s", "share", "errors", "attempts", "USD/h"):
        table.add_column(name, justify="right")
    for name, told in list(models.items())[:_MOST_ROWS]:
        table.add_row(
            name,
            f"{told['requests_per_second']:.1f}",
            f"{told['share']:.0%}",
            Text(str(told["errors"]), style="red" if told["errors"] else ""),
            str(told["attempts"]),
            f"{told['cost_usd_per_hour']:.4f}",
        )
    if not models:
        table.add_row(Text("no request in the last minute", style="dim"))
    return table


def _counts(told: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    lost = told["events_lost"] + told["records_lost"]
    rows = (
        ("decided by", _listed(told["strategies"]), ""),
        ("refused at", _listed(told["refused"]), "yellow"),
        ("breakers open", ", ".join(f"{id[:12]} {left:.0f} s" for id, left in told["benched"].items()), "red"),
        ("telemetry lost", str(lost) if lost else "", "red"),
    )
    for name, value, style in rows:
        table.add_row(Text(name, style="dim"), Text(value or "-", style=style if value else "dim"))
    return table


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


def _print_lines(url: str, key: str, interval: float, once: bool) -> None:
    while True:
        try:
            click.echo(json.dumps(look(url, key)))
        except Away as away:
            if once or away.final:
                raise click.ClickException(str(away)) from None
            click.echo(json.dumps({"away": str(away)}))
        if once:
            return
        time.sleep(interval)


@contextmanager
def _keys() -> Iterator[Any]:
    """A function that waits for a key, and a terminal that gives keys at once."""
    try:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (ImportError, OSError, ValueError, termios.error):
        yield lambda seconds: time.sleep(seconds)
        return

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return sys.stdin.read(1) if ready else ""

    tty.setcbreak(descriptor)
    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
