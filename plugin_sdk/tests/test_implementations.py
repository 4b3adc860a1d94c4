"""A hook that would never be called, or called wrongly, is found before the gateway starts."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_sdk import Context, Need, Plugin, Reject, hookimpl
from routeiq_sdk.hooks.implementations import HookError, implementations


class Sound(Plugin[Any]):
    needs = frozenset({Need.OFFLOAD})

    @hookimpl
    def guard_request(self, ctx: Context) -> Reject | None:
        return None

    @hookimpl(specname="admit")
    async def shed(self, ctx: Context) -> Reject | None:
        return None

    @hookimpl(optionalhook=True)
    async def a_hook_of_the_future(self, ctx: Context) -> None:
        return None

    @property
    def explodes(self) -> int:
        raise RuntimeError("properties are not asked for")


class Misspelt(Plugin[Any]):
    @hookimpl
    async def guard_requst(self, ctx: Context) -> None: ...


class Unmarked(Plugin[Any]):
    async def guard_request(self, ctx: Context) -> None: ...


class UnmarkedOverride(Sound):
    def guard_request(self, ctx: Context) -> None: ...


class OtherName(Plugin[Any]):
    @hookimpl
    async def guard_request(self, context: Context) -> None: ...


class TooFew(Plugin[Any]):
    @hookimpl
    async def guard_response(self, ctx: Context) -> None: ...


class TooMany(Plugin[Any]):
    @hookimpl
    async def admit(self, ctx: Context, extra: int = 0) -> None: ...


class Waits(Plugin[Any]):
    @hookimpl
    async def select_deployment(self, ctx: Any, group: Any, deployments: Any) -> None: ...


class Blocks(Plugin[Any]):
    @hookimpl
    def authorize(self, ctx: Context) -> None: ...


class Wraps(Plugin[Any]):
    @hookimpl(wrapper=True)
    def authorize(self, ctx: Context) -> Any:
        return (yield)


class First(Plugin[Any]):
    @hookimpl(tryfirst=True)
    async def authorize(self, ctx: Context) -> None: ...


class Twice(Plugin[Any]):
    @hookimpl
    async def authorize(self, ctx: Context) -> None: ...

    @hookimpl(specname="authorize")
    async def authorize_too(self, ctx: Context) -> None: ...


class Yields(Plugin[Any]):
    @hookimpl
    async def emit(self, events: Any) -> Any:
        yield events


class Static(Plugin[Any]):
    @staticmethod
    @hookimpl
    async def authorize(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "message", "mend"),
    [
        (Misspelt, "there is no hook 'guard_requst'", "did you mean 'guard_request'?"),
        (Unmarked, "guard_request is not marked", "mark it"),
        (UnmarkedOverride, "guard_request is not marked", "mark it"),
        (OtherName, "takes (context) but the hook guard_request gives (ctx)", "names of the specification"),
        (TooFew, "takes (ctx) but the hook guard_response gives (ctx, response)", "names of the specification"),
        (TooMany, "takes (ctx, extra) but the hook admit gives (ctx)", "names of the specification"),
        (Waits, "select_deployment is async but the hook select_deployment is synchronous", "may not wait"),
        (Blocks, "authorize is synchronous but the hook authorize is async", "Need.OFFLOAD"),
        (Wraps, "asks for wrapper", "before and after"),
        (First, "asks for tryfirst", "before and after"),
        (Twice, "authorize is implemented twice", "keep one"),
        (Yields, "emit is a generator", "return a value"),
        (Static, "not a plain method", "def authorize(self"),
    ],
)
def test_a_wrong_hook_is_refused_with_a_mend(plugin: type[Plugin[Any]], message: str, mend: str) -> None:
    with pytest.raises(HookError) as caught:
        implementations(plugin)
    assert message in str(caught.value)
    assert mend in caught.value.mend


def test_sound_hooks_come_in_the_order_of_the_specifications() -> None:
    found = [(one.spec.name, one.method, one.offload) for one in implementations(Sound)]
    assert found == [("admit", "shed", False), ("guard_request", "guard_request", True)]
