"""The parts of the reference that are made from code, by the name that a page gives between double braces.

Prose belongs to the pages; nothing here reads a file of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reference_blocks.commands import commands
from reference_blocks.errors import errors
from reference_blocks.events import events
from reference_blocks.hooks import hook_overview, hooks
from reference_blocks.kinds import kinds, profiles
from reference_blocks.routes import routes
from reference_blocks.sdk import sdk_names
from reference_blocks.servers import engines, probes
from reference_blocks.settings import litellm_keys, settings
from reference_blocks.upstreams import providers

BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "engines": engines,
    "errors": errors,
    "events": events,
    "hook-overview": hook_overview,
    "hooks": hooks,
    "kinds": kinds,
    "litellm-keys": litellm_keys,
    "probes": probes,
    "profiles": profiles,
    "providers": providers,
    "routes": routes,
    "sdk-names": sdk_names,
    "settings": settings,
}

__all__ = ["BLOCKS"]
