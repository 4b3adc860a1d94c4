"""From a name in the YAML to a constructed plugin: a ladder of checks, each with one clear error.

Discovery, order and the plugin's further life are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from routeiq.config.errors import ConfigErrors
from routeiq.config.position import Positions
from routeiq.plugins.discover import Found, the_one
from routeiq.plugins.from_litellm import configured
from routeiq.plugins.policy import OPEN, Policy, allowed
from routeiq.plugins.select import SECTION, UNPLACED, Selected
from routeiq_sdk import API_VERSION, Plugin, PluginConfig, PluginError
from routeiq_sdk.hooks.implementations import HookError, Implementation, implementations

RUNGS = ("installed", "allowed", "imports", "is a plugin", "API version", "hooks", "configuration", "constructs")
NO_DOCUMENT: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Examined:
    """A plugin that passed every check short of being constructed."""

    found: Found
    type: type[Plugin[Any]]
    config: PluginConfig
    hooks: tuple[Implementation, ...]


def _ignore(rung: str) -> None:
    """Nobody wants to hear of the rungs."""


def examine(
    selected: Selected,
    founds: Iterable[Found],
    *,
    policy: Policy = OPEN,
    positions: Positions = UNPLACED,
    document: Mapping[str, Any] = NO_DOCUMENT,
    passed: Callable[[str], None] = _ignore,
) -> Examined:
    """Climb all rungs but the last. Raises `PluginError`, or `ConfigErrors` for the plugin's own configuration.

    `document` is the whole configuration, for fields that are written in LiteLLM's sections; `passed` hears of each
    rung climbed.
    """
    # Rung 1: somebody offers the name, and only one does.
    found = the_one(selected.name, founds)
    passed("installed")

    # Rung 2: the operator's list admits it. Nothing of it was imported so far.
    if not allowed(found, policy):
        raise PluginError(
            found.name,
            f"({found}) is not in routeiq.plugin_policy.allow.",
            mend=f"add {{distribution: {found.distribution}, version: '=={found.version}'}} to the list.",
        )
    passed("allowed")

    # Rung 3: its module imports and has the object.
    value = _imported(found)
    passed("imports")

    # Rung 4: the object is a plugin class.
    if not (isinstance(value, type) and issubclass(value, Plugin)):
        raise PluginError(
            found.name, f"({found}) {found.value} is not a Plugin class.", mend="subclass routeiq_sdk.Plugin."
        )
    passed("is a plugin")

    # Rung 5: it was written for this gateway's API.
    if value.api_version != API_VERSION:
        older = value.api_version < API_VERSION
        raise PluginError(
            found.name,
            f"({found}) speaks plugin API {value.api_version}, this gateway {API_VERSION}.",
            mend=f"upgrade {found.distribution}." if older else "upgrade routeiq.",
        )
    passed("API version")

    # Rung 6: its hooks exist and have the parameters and the colour (sync or async) of their specifications.
    try:
        hooks = implementations(value)
    except HookError as error:
        raise PluginError(found.name, f"({found}) {error}.", mend=error.mend) from None
    passed("hooks")

    # Rung 7: its block of the YAML is what it wants.
    config = _configured(found, value, selected, positions, document)
    passed("configuration")
    return Examined(found, value, config, hooks)


def config_schema(found: Found) -> dict[str, Any] | None:
    """The JSON schema of an installed plugin's configuration; `None` when it cannot be imported."""
    try:
        value = _imported(found)
    except PluginError:
        return None
    return value.Config.model_json_schema() if isinstance(value, type) and issubclass(value, Plugin) else None


def construct(examined: Examined, passed: Callable[[str], None] = _ignore) -> Plugin[Any]:
    """The last rung: the class takes its configuration."""
    found = examined.found
    try:
        instance = examined.type(examined.config)
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(
            found.name, f"({found}) cannot be constructed: {_said(error)}.", mend="report it to the plugin's author."
        ) from error
    passed("constructs")
    return instance


def _imported(found: Found) -> object:
    try:
        return EntryPoint(found.name, found.value, found.group).load()
    except ModuleNotFoundError as error:
        missing = error.name or "a module"
        ours = missing.partition(".")[0] == found.value.partition(":")[0].partition(".")[0]
        mend = f"reinstall {found.distribution}." if ours else f"pip install what brings the module {missing}."
        raise PluginError(found.name, f"({found}) cannot be imported: there is no {missing}.", mend=mend) from error
    # An import that calls sys.exit must not end the gateway without a word.
    except (Exception, SystemExit) as error:
        raise PluginError(
            found.name, f"({found}) cannot be imported: {_said(error)}.", mend=f"upgrade {found.distribution}."
        ) from error


def _configured(
    found: Found,
    plugin: type[Plugin[Any]],
    selected: Selected,
    positions: Positions,
    document: Mapping[str, Any],
) -> PluginConfig:
    try:
        path = (*SECTION, selected.name)
        config, problems = configured(plugin.Config, selected.config, path, document, positions)
    except Exception as error:
        raise PluginError(
            found.name,
            f"({found}) cannot check its configuration: {type(error).__name__}.",
            mend="report it to the plugin's author.",
        ) from None
    if config is None:
        raise ConfigErrors(problems)
    return config


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ") if str(error) else type(error).__name__
