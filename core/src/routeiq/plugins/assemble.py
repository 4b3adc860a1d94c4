"""The way from a whole configuration to its set of plugins, in one call.

Each step lives in a module of its own.
"""

from __future__ import annotations

from pathlib import Path

from routeiq.config.errors import ConfigErrors
from routeiq.config.model import Config
from routeiq.installed import releases
from routeiq.plugins.discover import scan
from routeiq.plugins.lifecycle import PluginSet
from routeiq.plugins.policy import read_policy
from routeiq.plugins.select import select


def assemble(config: Config, *, lock: Path | None = None, previous: PluginSet | None = None) -> PluginSet:
    """The plugins that `config` asks for: constructed and ordered, not set up. See `PluginSet.build`.

    Nothing is imported beside a refused release: `ConfigError`.
    """
    refused = releases.problems()
    if refused:
        raise ConfigErrors(refused)
    block = config.routeiq
    return PluginSet.build(
        select(block.plugins, block.profile),
        scan(),
        policy=read_policy(block.plugin_policy.allow, config.positions),
        positions=config.positions,
        document=config.written,
        lock=lock,
        previous=previous,
    )
