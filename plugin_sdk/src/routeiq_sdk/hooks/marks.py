"""The marks on hook specifications and implementations.

`hook` marks a specification and says whether it is async and what a failure means; `hookimpl` marks an implementation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import pluggy

PROJECT = "routeiq"

F = TypeVar("F", bound=Callable[..., object])
Failure = Literal["start", "log", "open", "closed", "skip", "next", "swallow", "retry"]

hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class HookSpec:
    """What the core needs to know about a hook to compile it.

    `failure`: `start` stops the start, `log` is logged, `open` lets the request pass, `closed` refuses it, `skip`
    leaves the target
    out, `next` asks the next strategy, `swallow` is counted, `retry` is tried again later.
    """

    name: str
    is_async: bool
    failure: Failure
    parameters: tuple[str, ...]
    since: str
    doc: str


def hook(*, failure: Failure, since: str = "0.1") -> Callable[[F], F]:
    """Mark a method of a hook class as a specification."""

    def mark(function: F) -> F:
        parameters = tuple(inspect.signature(function).parameters)[1:]
        spec = HookSpec(
            name=function.__name__,
            is_async=inspect.iscoroutinefunction(function),
            failure=failure,
            parameters=parameters,
            since=since,
            doc=inspect.getdoc(function) or "",
        )
        function.routeiq_hook = spec  # type: ignore[attr-defined]
        return _hookspec(function)

    return mark


def specs_of(group: type) -> Iterator[HookSpec]:
    """The specifications in a hook class, in the order they are written."""
    for member in vars(group).values():
        spec = getattr(member, "routeiq_hook", None)
        if isinstance(spec, HookSpec):
            yield spec
