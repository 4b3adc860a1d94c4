"""Makes functions of a running gateway fail: which coroutines a request runs through, and a body that raises in one's
place, also where a bound method was kept.

What must hold then is written in the tests.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import CodeType, FrameType, FunctionType
from typing import Any

_OURS = ("/routeiq/", "/routeiq_governance/", "/routeiq_oidc/", "/routeiq_sdk/")
_NOT = ("/routeiq_sdk/testing/",)


async def coroutines_of(act: Callable[[], Awaitable[Any]]) -> list[FunctionType]:
    """The product's coroutine functions that run while `act` does, each once, in order of first use."""
    seen: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR) and _is_ours(code):
            seen.setdefault(code)

    sys.setprofile(note)
    try:
        await act()
    finally:
        sys.setprofile(None)
    return _functions(seen)


def _is_ours(code: CodeType) -> bool:
    name = code.co_filename
    return any(part in name for part in _OURS) and not any(part in name for part in _NOT) and not code.co_freevars


def _functions(codes: Iterable[CodeType]) -> list[FunctionType]:
    """In the order of their code. All are looked for at once, since each look goes through everything in memory."""
    order = {code: place for place, code in enumerate(codes)}
    found = [one for one in gc.get_referrers(*order) if isinstance(one, FunctionType) and one.__code__ in order]
    return sorted(found, key=lambda function: order[function.__code__])


async def _raise_runtime_error(*_: Any, **__: Any) -> Any:
    raise RuntimeError("injected")


async def _raise_key_error(*_: Any, **__: Any) -> Any:
    raise KeyError("injected")


async def _raise_timeout(*_: Any, **__: Any) -> Any:
    raise TimeoutError("injected")


async def _raise_cancelled(*_: Any, **__: Any) -> Any:
    import asyncio

    raise asyncio.CancelledError("injected")


async def _raise_store_unavailable(*_: Any, **__: Any) -> Any:
    from routeiq_sdk import StoreUnavailable

    raise StoreUnavailable("injected")


FAULTS: dict[str, FunctionType] = {
    "RuntimeError": _raise_runtime_error,
    "KeyError": _raise_key_error,
    "TimeoutError": _raise_timeout,
    "CancelledError": _raise_cancelled,
    "StoreUnavailable": _raise_store_unavailable,
}  # type: ignore[dict-item]


@contextmanager
def replaced(function: FunctionType, by: FunctionType) -> Iterator[None]:
    """`function`, wherever it is kept, does what `by` does. `by` sees `function`'s globals."""
    before = function.__code__
    function.__code__ = by.__code__
    try:
        yield
    finally:
        function.__code__ = before


@contextmanager
def failing(function: FunctionType, fault: FunctionType) -> Iterator[None]:
    """`function`, wherever it is kept, raises."""
    makes_generator = function.__code__.co_flags & CO_ASYNC_GENERATOR
    with replaced(function, _FAULTY_GENERATORS[fault.__name__] if makes_generator else fault):
        yield


async def _generate_runtime_error(*_: Any, **__: Any) -> Any:
    raise RuntimeError("injected")
    yield


async def _generate_key_error(*_: Any, **__: Any) -> Any:
    raise KeyError("injected")
    yield


async def _generate_timeout(*_: Any, **__: Any) -> Any:
    raise TimeoutError("injected")
    yield


async def _generate_cancelled(*_: Any, **__: Any) -> Any:
    import asyncio

    raise asyncio.CancelledError("injected")
    yield


async def _generate_store_unavailable(*_: Any, **__: Any) -> Any:
    from routeiq_sdk import StoreUnavailable

    raise StoreUnavailable("injected")
    yield


_FAULTY_GENERATORS: dict[str, FunctionType] = {
    f"_raise{name.removeprefix('_generate')}": function
    for name, function in list(globals().items())
    if name.startswith("_generate_") and isinstance(function, FunctionType)
}
