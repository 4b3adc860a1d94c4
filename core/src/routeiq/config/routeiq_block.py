"""The `routeiq:` block: what LiteLLM's dialect has no word for. Each field here is documented from its description.

Plugins check their own configuration; it is kept as written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from routeiq.config.rows import Usd
from routeiq.config.secrets_block import Secrets
from routeiq.config.server_block import Server
from routeiq.config.validation import Strict
from routeiq_sdk import Secret

_PLUGIN_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


class Compat(Strict):
    """How closely LiteLLM is followed, and what is knowingly left unenforced."""

    litellm_profile: Literal["1.80", "1.109"] = Field(
        "1.109", description="The LiteLLM version whose statuses, error bodies and headers clients see."
    )
    accept_unenforced: tuple[str, ...] = Field(
        (), description="Protective keys that may go unenforced, by path; row numbers may be left out (`model_list[]`)."
    )
    allow_mock_requests: bool = Field(
        False, description="Whether every key, not the admin's alone, may use the mock switches of a request."
    )


class Limits(Strict):
    """Bounds of the road itself."""

    in_flight: int = Field(512, ge=1, description="Requests in flight a worker; beyond it the answer is 503.")
    body_mib: float = Field(32, gt=0, description="Largest request body, MiB.")
    head_kib: int = Field(64, ge=1, le=1024, description="Largest request head, KiB.")
    json_depth: int = Field(64, ge=1, le=500, description="Deepest nesting of a JSON body.")
    body_seconds: float = Field(30, gt=0, description="Seconds a body may take to arrive.")
    stream_idle_seconds: float = Field(120, gt=0, description="Seconds a provider's stream may be silent.")
    tool_rounds: int = Field(
        10, ge=1, le=100, description="Times a model is asked in a request that uses the gateway's tools."
    )


class TenantEgress(Strict):
    """What one tenant's requests may reach."""

    only: tuple[str, ...] = Field(
        description="Hosts (`api.openai.com`, `*.files.example:8443`) or networks; an empty list is nothing at all."
    )


class Egress(Strict):
    """Where the gateway may connect beyond what operators wrote as addresses of providers."""

    allow: tuple[str, ...] = Field(
        (), description="Networks (`10.0.0.0/8`) or hosts (`intranet.example:8443`) that URLs of clients may reach."
    )
    tenants: Mapping[str, TenantEgress] = Field(
        default_factory=dict,
        description="By the id of a team or an organization: all that its requests may reach, providers included.",
    )


class Logs(Strict):
    """The log."""

    format: Literal["json", "console", "auto"] = Field(
        "auto", description="json, console, or auto: console on a terminal, else json."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level to write.")


class State(Strict):
    """Where the processes of a gateway keep what all of them must see: limits, leases, messages."""

    url: Secret | None = Field(
        None,
        description="memory://, sqlite:///path, postgresql://, redis://, valkey://, redis+sentinel:// or "
        "redis+cluster://; without it LiteLLM's keys and the number of workers decide.",
    )


class VirtualModel(Strict):
    """A name clients ask for when the gateway shall choose the model."""

    models: tuple[str, ...] = Field(min_length=1, description="Model groups to choose from.")
    default_model: str | None = Field(None, description="The group to take when no strategy decides; else the first.")
    strategy: str | None = Field(
        None, description="The named strategy that chooses; without it the plugins are asked in their order."
    )

    @model_validator(mode="after")
    def _default_is_a_member(self) -> VirtualModel:
        if len(set(self.models)) != len(self.models):
            raise ValueError("models names a group twice")
        if self.default_model is not None and self.default_model not in self.models:
            raise ValueError("default_model is not one of models")
        return self

    @property
    def fallback(self) -> str:
        """The group to take when no strategy decides."""
        return self.default_model or self.models[0]


class PriceOverride(Strict):
    """A price of your own, in US dollars a million tokens."""

    input_usd_per_mtok: Usd = Field(description="Input tokens.")
    output_usd_per_mtok: Usd = Field(description="Output tokens.")
    cache_read_usd_per_mtok: Usd | None = Field(None, description="Input tokens read from a cache; else as input.")
    cache_write_usd_per_mtok: Usd | None = Field(None, description="Input tokens written to a cache; else as input.")


class PluginEntry(Strict):
    """One plugin: three reserved keys, and its own configuration."""

    enabled: bool = Field(True, description="Whether the plugin runs.")
    before: tuple[str, ...] = Field((), description="Plugins that this one comes before at every gate.")
    after: tuple[str, ...] = Field((), description="Plugins that this one comes after at every gate.")
    config: Mapping[str, Any] = Field(default_factory=dict, description="The plugin's own keys, as written.")


def _entry(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return value
    reserved = {key: value[key] for key in ("enabled", "before", "after") if value.get(key) is not None}
    own = {key: item for key, item in value.items() if key not in ("enabled", "before", "after")}
    return {**reserved, "config": own}


class AllowedPlugin(Strict):
    """A distribution that may bring a plugin."""

    distribution: str = Field(min_length=1, description="The distribution's name on the package index.")
    version: str | None = Field(None, description="Versions that may run (`>=1.2,<2`); any when absent.")
    entry_point: str | None = Field(None, description="The plugin's name; every one of the distribution when absent.")


class PluginPolicy(Strict):
    """Which installed plugins may run at all."""

    allow: tuple[AllowedPlugin, ...] | None = Field(
        None, description="The only plugins that may run, our own included; every named one when absent."
    )


class RouteiqBlock(Strict):
    """`routeiq:`"""

    profile: Literal["standard", "minimal"] = Field(
        "standard", description="The plugins that are on without being named: our standard set, or none."
    )
    data_dir: Path = Field(Path(".routeiq"), description="Folder of embedded stores, spool and keys.")
    strict: bool = Field(False, description="Whether warnings and keys without effect stop the start.")
    compat: Compat = Field(default_factory=Compat, description="How closely LiteLLM is followed.")
    server: Server = Field(default_factory=Server, description="The listening side.")
    limits: Limits = Field(default_factory=Limits, description="Bounds of the road itself.")
    egress: Egress = Field(default_factory=Egress, description="Where the gateway may connect.")
    logs: Logs = Field(default_factory=Logs, description="The log.")
    state: State = Field(default_factory=State, description="Where what all processes must see is kept.")
    secrets: Secrets = Field(default_factory=Secrets, description="Where references to secrets are looked up.")
    virtual_models: Mapping[str, VirtualModel] = Field(
        default_factory=dict, description="Names for which the gateway chooses the model."
    )
    prices: Mapping[str, PriceOverride] = Field(
        default_factory=dict, description="Prices of your own by model; they win over the price book."
    )
    plugins: Mapping[str, Annotated[PluginEntry, BeforeValidator(_entry)]] = Field(
        default_factory=dict,
        description="Plugins to run: name -> its configuration; `enabled`, `before` and `after` are reserved keys.",
    )
    plugin_policy: PluginPolicy = Field(
        default_factory=PluginPolicy, description="Which installed plugins may run at all."
    )

    @field_validator("plugins")
    @classmethod
    def _names_are_words(cls, plugins: Mapping[str, PluginEntry]) -> Mapping[str, PluginEntry]:
        for name in plugins:
            if not _PLUGIN_NAME.match(name):
                raise ValueError(f"{name!r} is no plugin name: lower-case words joined by hyphens")
        return plugins
