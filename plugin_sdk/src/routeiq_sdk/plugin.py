"""The base class of plugins and their strictly typed configuration.

Discovery, ordering and calling belong to the core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict

API_VERSION = 1


class PluginConfig(BaseModel):
    """Base of a plugin's configuration. Unknown keys are errors; give every field a description, it becomes the
    docs.

    A validator that reads files finds the folder of the gateway's configuration in `info.context["folder"]` (a `Path`);
    there is no context where the configuration is no file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class FromLitellm:
    """Marks a field of a plugin's configuration that is written in a LiteLLM section, not in the plugin's block.

    ```python
    class TagConfig(PluginConfig):
        tags: Annotated[bool, FromLitellm("router_settings.enable_tag_filtering")] = Field(False, description="...")
    ```

    The core fills the field with the key's value; writing it in the plugin's own block is an error, so that there is
    one way to say it.
    """

    key: str
    """Section and key, with a dot between them; a section alone (`provider_settings`) means all of it."""


class Need(StrEnum):
    """What a plugin asks of the road. What nobody needs is not done."""

    READS_BODY = "reads_body"
    """It reads the request's JSON or text."""
    MUTATES_REQUEST = "mutates_request"
    """It may return `Replace` from `guard_request`."""
    READS_RESPONSE = "reads_response"
    """It reads whole answers in `guard_response`."""
    READS_STREAM_TEXT = "reads_stream_text"
    """It gives stream filters."""
    OFFLOAD = "offload"
    """Its synchronous work burns CPU: run it in a thread."""


C = TypeVar("C", bound=PluginConfig)


class Plugin(Generic[C]):
    """A plugin. Subclass it, mark the hooks it implements with `hookimpl`, register the class as an entry point.

    Its life, in order:

    1. *discover*: the entry point is seen; nothing is imported.
    2. *allow*: the YAML (or the profile) names it and the allow-list admits its distribution.
    3. *import*: the class is loaded; `api_version` must be the gateway's.
    4. *configure*: its YAML block is checked against `Config`; unknown keys are errors.
    5. *construct*: `__init__(config)`. Pure: no I/O, no threads.
    6. *set up*: the `setup` hook opens what it needs.
    7. *serve*: its other hooks are called.
    8. *tear down*: the `teardown` hook closes what `setup` opened, also when `setup` failed half-way.

    ```python
    class LimitConfig(PluginConfig):
        words: int = Field(100, description="longest prompt, in words")


    class Limit(Plugin[LimitConfig]):
        needs = frozenset({Need.READS_BODY})

        @hookimpl
        async def guard_request(self, ctx: Context) -> Reject | None:
            if len(ctx.request.text().split()) > self.config.words:
                return Reject(400, f"more than {self.config.words} words")
            return None
    ```
    """

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    api_version: ClassVar[int] = API_VERSION
    needs: ClassVar[frozenset[Need]] = frozenset()
    before: ClassVar[frozenset[str]] = frozenset()
    """Names of plugins that this one comes before at every gate, when they are present."""
    after: ClassVar[frozenset[str]] = frozenset()
    """Names of plugins that this one comes after at every gate, when they are present."""
    exclusive: ClassVar[frozenset[str]] = frozenset()
    """Names of resources that two instances cannot hold at once (a port, a log file): at a reload whose configuration
    changes
    this plugin, the old instance is torn down before the new one is set up."""

    config: C

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def idle_hooks(self) -> frozenset[str]:
        """Hooks that this plugin implements and its configuration does not need: they are never called.

        A gate without a plugin costs nothing, so a plugin that has work at a gate only when asked should say so.
        """
        return frozenset()

    @property
    def origins(self) -> Iterable[str]:
        """URLs that the operator wrote in this plugin's configuration: `gateway.egress` may call their origins, on
        private addresses too. Nothing that a client or a database said may stand here."""
        return ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "Config" in cls.__dict__:
            return
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Plugin:
                (config,) = get_args(base)
                if isinstance(config, type) and issubclass(config, PluginConfig):
                    cls.Config = config
