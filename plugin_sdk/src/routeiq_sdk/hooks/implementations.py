"""Which hooks a plugin class implements, and whether it does so in the shape that their specifications ask for.

Importing, constructing and calling plugins belong to the core.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pluggy

from routeiq_sdk.hooks import ALL, SPECS
from routeiq_sdk.hooks.marks import PROJECT, HookSpec
from routeiq_sdk.plugin import Need, Plugin


class HookError(ValueError):
    """A hook implementation that cannot be called. `mend` says what to change."""

    def __init__(self, message: str, mend: str) -> None:
        self.mend = mend
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Implementation:
    """Method `method` of a plugin implements `spec`; `offload` says that it runs in a thread."""

    spec: HookSpec
    method: str
    offload: bool


def implementations(plugin: type[Plugin[Any]]) -> tuple[Implementation, ...]:
    """The hooks that `plugin` implements, in the order of their specifications.

    Raises `HookError` for a name that no hook has, a forgotten `hookimpl`, other parameters than the specification's,
    and a synchronous method where an async one is wanted (or the reverse).
    """
    manager = pluggy.PluginManager(PROJECT)
    for group in ALL:
        manager.add_hookspecs(group)
    methods = dict(_methods(manager, plugin))
    found = {hook: _check_shape(plugin, method, SPECS[hook]) for hook, method in methods.items()}
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise HookError(str(error).splitlines()[-1], "compare it with routeiq_sdk.hooks.") from None
    return tuple(found[hook] for hook in SPECS if hook in found)


def _methods(manager: pluggy.PluginManager, plugin: type[Plugin[Any]]) -> Iterator[tuple[str, str]]:
    """Hook and method name, for each method marked with `hookimpl`."""
    seen: set[str] = set()
    for method in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, method)
        if options is None:
            if method in SPECS and inspect.isroutine(inspect.getattr_static(plugin, method)):
                raise HookError(f"{method} is not marked with @hookimpl", "mark it, or give it another name.")
            continue
        hook = options.get("specname") or method
        for option in ("wrapper", "hookwrapper", "tryfirst", "trylast"):
            if options.get(option):
                raise HookError(
                    f"{method} asks for {option}", "hooks do not wrap; order plugins by name, with before and after."
                )
        if hook not in SPECS:
            if options.get("optionalhook"):
                continue
            near = next(iter(difflib.get_close_matches(hook, SPECS, n=1)), None)
            raise HookError(
                f"there is no hook {hook!r}",
                f"did you mean {near!r}?" if near else "routeiq_sdk.hooks lists the hooks.",
            )
        if hook in seen:
            raise HookError(f"{hook} is implemented twice in {plugin.__name__}", "keep one of the two methods.")
        seen.add(hook)
        yield hook, method


def _check_shape(plugin: type[Plugin[Any]], method: str, spec: HookSpec) -> Implementation:
    function = inspect.getattr_static(plugin, method)
    if not inspect.isfunction(function):
        raise HookError(f"{method} is not a plain method", f"write `def {method}(self, ...)`.")
    written = tuple(inspect.signature(function).parameters)[1:]
    if written != spec.parameters:
        raise HookError(
            f"{method} takes ({', '.join(written)}) but the hook {spec.name} gives ({', '.join(spec.parameters)})",
            "use the names of the specification.",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise HookError(f"{method} is a generator", "return a value instead of yielding.")
    is_async = inspect.iscoroutinefunction(function)
    if is_async and not spec.is_async:
        raise HookError(f"{method} is async but the hook {spec.name} is synchronous", "write `def`; it may not wait.")
    if not is_async and spec.is_async:
        if Need.OFFLOAD not in plugin.needs:
            raise HookError(
                f"{method} is synchronous but the hook {spec.name} is async",
                "write `async def`, or declare Need.OFFLOAD to run it in a thread.",
            )
        return Implementation(spec, method, offload=True)
    return Implementation(spec, method, offload=False)
