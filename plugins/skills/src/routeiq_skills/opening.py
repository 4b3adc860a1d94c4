"""From the settings to the parts: sources, the store, and the home of uploaded skills.

What the parts do is in their own modules.
"""

from __future__ import annotations

from routeiq_sdk import Gateway
from routeiq_skills.config import FolderSettings, GitSettings, SkillsConfig
from routeiq_skills.store.folder import FolderSource
from routeiq_skills.store.git import GitSource
from routeiq_skills.store.limits import MIB
from routeiq_skills.store.source import Source
from routeiq_skills.store.store import Store
from routeiq_skills.uploads.home import Home


def store_of(config: SkillsConfig) -> Store:
    """The store over all sources; nothing is read yet."""
    sources = [_source(settings) for settings in config.sources]
    return Store(sources, seconds=config.refresh_seconds, most_bytes=int(config.max_mib * MIB))


def home_of(config: SkillsConfig, gateway: Gateway) -> Home | None:
    """Where uploaded skills are kept."""
    if config.uploads is not None:
        from routeiq_skills.uploads.kept import Kept
        from routeiq_skills.uploads.shelf import Shelf

        return Kept(Shelf(gateway.data_dir / "uploads"), config.uploads, gateway.clock)
    if config.passthrough is not None:
        from routeiq_skills.uploads.passing import Passing

        return Passing(config.passthrough, gateway)
    return None


def _source(settings: FolderSettings | GitSettings) -> Source:
    if isinstance(settings, FolderSettings):
        return FolderSource(settings.path)
    return GitSource(settings.path, settings.ref, settings.within)
