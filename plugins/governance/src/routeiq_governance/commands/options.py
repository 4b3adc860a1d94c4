"""Options that every command of a running gateway has, and groups of commands."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from routeiq_governance.commands.client import Client

_URL = "http://127.0.0.1:4000"
Command = Callable[..., Any]


def of_gateway(command: Command) -> Command:
    """`--url`, `--key` and `--json`; the command gets `client` and `as_json`."""

    @click.option("--url", default=_URL, envvar="ROUTEIQ_URL", show_default=True, help="Address of the gateway.")
    @click.option(
        "--key",
        envvar=["ROUTEIQ_MASTER_KEY", "LITELLM_API_KEY"],
        help="Key to call it with; else ROUTEIQ_MASTER_KEY or LITELLM_API_KEY.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
    @functools.wraps(command)
    def wrapped(*args: Any, url: str, key: str | None, **options: Any) -> Any:
        if not key:
            raise click.UsageError("a key is needed: set ROUTEIQ_MASTER_KEY, or give --key")
        return command(*args, client=Client(url, key), **options)

    return wrapped


def limits(command: Command) -> Command:
    """Options of what bounds an entity, named as the API's fields."""
    for name, kind, text in reversed(_LIMITS):
        command = click.option(name, type=kind, help=text)(command)
    return command


def models(command: Command) -> Command:
    """`--model`, several times."""
    return click.option("--model", "models", multiple=True, help="A model that may be used; may be repeated.")(command)


def metadata(command: Command) -> Command:
    """`--metadata`, a JSON object."""
    return click.option("--metadata", callback=_document, help="A JSON object that is kept beside it.")(command)


def yes(command: Command) -> Command:
    """`--yes`."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


_LIMITS = (
    ("--max-budget", float, "US dollars each window, or for ever."),
    ("--budget-duration", str, "The window, such as 24h, 30d or 1mo."),
    ("--rpm-limit", int, "Requests a minute."),
    ("--tpm-limit", int, "Tokens a minute."),
    ("--max-parallel-requests", int, "Calls at once."),
)


def _document(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise click.BadParameter("is no JSON object")
    return found
