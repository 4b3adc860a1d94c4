"""The contract of every plugin, and the two functions with which tests drive one.

Contracts of single kinds are in the modules beside this one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import Any, ClassVar, get_args

import pytest
from pydantic import BaseModel, ValidationError

from routeiq_sdk.hooks.implementations import Implementation, implementations
from routeiq_sdk.plugin import API_VERSION, Plugin
from routeiq_sdk.testing.fakes import FakeGateway
from routeiq_sdk.testing.purity import side_effects


async def call_hook(plugin: Plugin[Any], hook: str, *arguments: Any) -> Any:
    """Call a hook of `plugin` as the core does. Raises `LookupError` when the plugin does not implement it."""
    found = _hooks(type(plugin)).get(hook)
    if found is None:
        raise LookupError(f"{type(plugin).__name__} does not implement {hook}")
    method = getattr(plugin, found.method)
    if found.offload:
        return await asyncio.to_thread(method, *arguments)
    result = method(*arguments)
    return await result if inspect.isawaitable(result) else result


@asynccontextmanager
async def running(plugin: Plugin[Any], gateway: FakeGateway) -> AsyncIterator[Plugin[Any]]:
    """Set `plugin` up, and tear it down at the end, also after a half-failed set-up."""
    hooks = _hooks(type(plugin))
    try:
        if "setup" in hooks:
            await call_hook(plugin, "setup", gateway)
        yield plugin
    finally:
        try:
            if "teardown" in hooks:
                await call_hook(plugin, "teardown")
        finally:
            await gateway.aclose()


_known: dict[type[Plugin[Any]], dict[str, Implementation]] = {}


def _hooks(plugin: type[Plugin[Any]]) -> dict[str, Implementation]:
    """Implementations by hook, looked up once a class: a flood of calls shall not time the look-up."""
    if plugin not in _known:
        _known[plugin] = {found.spec.name: found for found in implementations(plugin)}
    return _known[plugin]


class PluginContract:
    """What every plugin promises. Inherit it in your tests, under a name that pytest collects:

    ```python
    class TestLimit(PluginContract):
        plugin = Limit
        name = "limit"
        group = "routeiq.guards"
        config = {"words": 10}
    ```
    """

    plugin: ClassVar[type[Plugin[Any]]]
    """The class under test."""
    name: ClassVar[str]
    """Its entry-point name."""
    group: ClassVar[str] = "routeiq.plugins"
    """Its entry-point group, which tells its kind."""
    config: ClassVar[Mapping[str, Any]] = {}
    """A valid configuration, as the YAML would give it."""

    def make(self) -> Plugin[Any]:
        """A fresh instance with `config`."""
        return self.plugin(self.plugin.Config.model_validate(dict(self.config)))

    def make_gateway(self) -> FakeGateway:
        """The handle that the plugin is set up with. Override it to script the outside."""
        return FakeGateway(self.name)

    def hooks(self) -> frozenset[str]:
        """Names of the hooks that the plugin implements."""
        return frozenset(_hooks(self.plugin))

    def need_hook(self, *names: str) -> None:
        """Skip the test unless the plugin implements one of these hooks: a promise of a hook it has not is none of its
        promises, and the report names the hook, so that an author sees what was not looked at."""
        if not self.hooks().intersection(names):
            pytest.skip(f"{self.plugin.__name__} does not implement {' or '.join(names)}")

    def test_it_is_discovered_by_its_entry_point(self) -> None:
        points = entry_points().select(group=self.group, name=self.name)
        assert points, f"no entry point {self.name!r} in the group {self.group!r}; is the distribution installed?"
        assert [point.load() for point in points] == [self.plugin], f"{self.name!r} names another object"

    def test_its_api_version_is_this_ones(self) -> None:
        assert self.plugin.api_version == API_VERSION

    def test_it_implements_hooks_and_in_their_shape(self) -> None:
        assert _hooks(self.plugin), "no method is marked with @hookimpl"

    def test_its_construction_is_pure(self) -> None:
        self.make()  # what the first construction imports, the second one does not
        effects = side_effects(self.make)
        assert effects == [], f"__init__ must not touch the outside; move this to setup: {effects}"

    def test_unknown_configuration_keys_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            self.plugin.Config.model_validate({**self.config, "a_key_that_nobody_has": 1})

    def test_its_configuration_cannot_change(self) -> None:
        assert self.plugin.Config.model_config.get("frozen"), "keep PluginConfig's model_config"

    def test_every_configuration_field_is_described(self) -> None:
        bare = [path for path, description in _fields(self.plugin.Config) if not description]
        assert bare == [], f"the descriptions are the documentation; missing for {', '.join(bare)}"

    def test_set_up_and_teardown_work_more_than_once(self) -> None:
        async def live_twice() -> None:
            for _ in range(2):
                async with running(self.make(), self.make_gateway()):
                    pass

        asyncio.run(live_twice())

    def test_teardown_works_without_set_up(self) -> None:
        self.need_hook("teardown")
        asyncio.run(call_hook(self.make(), "teardown"))


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Dotted paths of all fields with their descriptions, into nested models."""
    for name, field in model.model_fields.items():
        yield prefix + name, field.description
        for inner in _models(field.annotation):
            yield from _fields(inner, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
