"""`routeiq top`: how a running gateway is doing, live in a terminal or as lines of JSON.

The figures come from the gateway (`/routeiq/v1/live`); what they look like is in `routeiq.cli.top_screen`.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from routeiq.cli.top_screen import screen

_QUITS = Text("q quits", style="dim")
_SECONDS = 5.0


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
    envvar=["ROUTEIQ_MASTER_KEY", "LITELLM_MASTER_KEY"],
    help="A key that may read the gateway's state; else ROUTEIQ_MASTER_KEY or LITELLM_MASTER_KEY.",
)
@click.option(
    "--config",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The gateway's YAML file: take its master key.",
)
@click.option("--interval", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print one look and end.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a look.")
def top(url: str, key: str | None, path: Path | None, interval: float, once: bool, as_json: bool) -> None:
    """Watch a running gateway: requests, first tokens, cost, models, tools, refusals, breakers."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError("--url is the address of the gateway, such as http://127.0.0.1:4000")
    key = _master_key(path) if path is not None else key
    if not key:
        raise click.UsageError("a key is needed: set ROUTEIQ_MASTER_KEY, or give --key or --config")
    if not key.isascii() or not key.isprintable():
        raise click.UsageError("the key has characters that no key has")
    console = Console()
    try:
        if as_json:
            _print_lines(url, key, interval, once)
        elif once or not console.is_terminal:
            console.print(screen(look(url, key), url))
        else:
            _watch(url, key, interval, console)
    except Away as away:
        raise click.ClickException(str(away)) from None
    except KeyboardInterrupt:
        pass  # the usual way to end it


def _master_key(path: Path) -> str:
    from routeiq.config import load  # a command that was given a key starts without these imports

    return load(path).master_key.reveal()


def _watch(url: str, key: str, interval: float, console: Console) -> None:
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                live.update(Group(screen(look(url, key), url), _QUITS), refresh=True)
            except Away as away:
                if away.final:
                    raise
                told = Group(Text(f"{away}; trying again", style="bold red"), _QUITS)
                live.update(told, refresh=True)
            if pressed(interval):
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
        doubt = ": is it a RouteIQ gateway?" if error.code == 404 else ""
        raise Away(f"{url} answers {error.code}{doubt}", final=error.code == 404) from None
    except (OSError, HTTPException) as error:
        raise Away(f"no gateway answers at {url}: {getattr(error, 'reason', None) or error}") from None
    except ValueError:
        raise Away(f"{url} does not answer as a gateway does: is the address right?", final=True) from None
    if not isinstance(told, dict) or "requests_per_second" not in told:
        raise Away(f"{url} does not answer as a gateway does: is the address right?", final=True)
    return told


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
def _keys() -> Iterator[Callable[[float], bool]]:
    """A terminal that gives keys at once, and a function that waits for seconds or for the `q`, and says whether it
    came."""
    try:
        import termios
        import tty
    except ImportError:
        yield _waited
        return
    if not sys.stdin.isatty():
        yield _waited
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        read = os.read(descriptor, 64) if ready else b" "
        return not read or b"q" in read  # nothing to read: the terminal is gone

    tty.setcbreak(descriptor)
    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _waited(seconds: float) -> bool:
    time.sleep(seconds)
    return False
