"""Errors of ours as one clear line and an exit code: 3 for a refused router, 78 for artifacts and plugins, 1 for data.

Wrong usage is click's own, with the code 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

REFUSED = 3
BAD_DATA = 1
EX_CONFIG = 78


class Failure(click.ClickException):
    """A command that could not do its work."""

    exit_code = BAD_DATA


class RefusedRouter(Failure):
    """No router is worth having."""

    exit_code = REFUSED


class Untrusted(Failure):
    """An artifact, key or plugin that may not be used."""

    exit_code = EX_CONFIG


@contextmanager
def clear_failures() -> Iterator[None]:
    """Around a command, also as its decorator: known errors become a `Failure`, all others stay what they are."""
    try:
        yield
    except click.exceptions.Exit:
        raise
    except Exception as error:
        kind = _kind(error)
        if kind is None:
            raise
        raise kind(" ".join(str(error).split())) from error


def _kind(error: Exception) -> type[Failure] | None:
    from routeiq_routing_ml.training.table import Refused, TrainingError
    from routeiq_sdk import RouteIQError

    if isinstance(error, Refused):
        return RefusedRouter
    if isinstance(error, RouteIQError):
        return Untrusted
    return Failure if isinstance(error, TrainingError | OSError) else None
