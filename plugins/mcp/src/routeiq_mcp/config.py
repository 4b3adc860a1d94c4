"""What the YAML may say under `routeiq.plugins.mcp`, and the keys of LiteLLM's sections that belong here.

What one server's row means is in `rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from routeiq_mcp.rows import ServerRow, check_name
from routeiq_sdk import FromLitellm, PluginConfig, Secret

_UNENFORCED = ("token_validation",)


class VirtualServer(PluginConfig):
    """A named set of tools of some servers, served at `/NAME/mcp`."""

    servers: tuple[str, ...] = Field(min_length=1, description="The servers it is made of; their order counts.")
    tools: tuple[str, ...] = Field(
        ("*",), description="Globs of the tools it offers, of a tool's name (`search*`) or with its server's (`git-*`)."
    )
    prefix: bool = Field(False, description="Whether tools and prompts are named `SERVER-TOOL`.")
    resources: bool = Field(True, description="Whether the servers' resources are offered.")
    prompts: bool = Field(True, description="Whether the servers' prompts are offered.")
    auth: Literal["required", "none"] = Field(
        "required",
        description="`none`: anybody may use it, which the gateway allows only while it listens on loopback alone.",
    )
    teams: tuple[str, ...] = Field((), description="Teams that may use it. Nobody listed at all: every caller.")
    keys: tuple[str, ...] = Field((), description="Keys that may use it, by id or alias.")
    users: tuple[str, ...] = Field((), description="Users that may use it.")
    scopes: tuple[str, ...] = Field((), description="OAuth scopes that its clients are told to ask for.")
    description: str | None = Field(None, description="What it is for.")

    @model_validator(mode="after")
    def _knows_its_callers(self) -> VirtualServer:
        if self.auth == "none" and (self.teams or self.keys or self.users or self.scopes):
            raise ValueError("auth: none knows no caller; remove teams, keys, users and scopes")
        return self


class Pins(PluginConfig):
    """What happens when a tool's definition or a skill's head is seen first, and how soon a change is noticed."""

    first_sight: Literal["trust_first_use", "approve_all"] = Field(
        "trust_first_use",
        description="`trust_first_use`: what is seen first is approved. `approve_all`: an administrator approves it.",
    )
    recheck_seconds: float = Field(
        300.0, ge=1, le=86_400, description="Age at which a call or a reading looks at the definition again."
    )


class McpConfig(PluginConfig):
    """Settings of the mcp plugin."""

    virtual_servers: dict[str, VirtualServer] = Field({}, description="Named sets of tools, by name.")
    pins: Pins = Field(Pins(), description="How definitions of tools and skills are held fast.")
    list_seconds: float = Field(
        60.0, ge=0, le=86_400, description="How long lists of a server are kept that says nothing about it."
    )
    page_size: int = Field(1000, ge=1, le=100_000, description="The most entries in one page of a list.")
    most_entries: int = Field(20_000, ge=1, description="The most entries of one list that are taken from a server.")
    private_lists: int = Field(256, ge=1, description="Callers whose own lists are kept, for each server.")
    listeners: int = Field(1000, ge=1, description="Streams of notifications at once, in each process.")
    encryption_key: Secret | None = Field(
        None,
        description="What seals the credentials of servers that were added at run time, the same for all replicas; "
        "else one is made in the data folder.",
    )
    accepted_unenforced: Annotated[tuple[str, ...], FromLitellm("routeiq.compat.accept_unenforced")] = Field(
        (), description="Keys that the operator accepts unenforced."
    )
    servers: Annotated[dict[str, ServerRow], FromLitellm("mcp_servers")] = Field(
        {}, description="The servers behind the gateway, by name."
    )
    aliases: Annotated[dict[str, str], FromLitellm("litellm_settings.mcp_aliases")] = Field(
        {}, description="Other names of servers: the first of a server without `alias` becomes its alias."
    )
    top_aliases: Annotated[dict[str, str], FromLitellm("mcp_aliases")] = Field(
        {}, description="The same, at the top of the document."
    )

    @field_validator("encryption_key")
    @classmethod
    def _strong(cls, key: Secret | None) -> Secret | None:
        if key is not None and len(key.reveal()) < 16:
            raise ValueError("too short: at least 16 characters")
        return key

    @field_validator("servers", mode="before")
    @classmethod
    def _enforced(cls, rows: Any, info: ValidationInfo) -> Any:
        accepted = set(info.data.get("accepted_unenforced", ()))
        for name, row in rows.items() if isinstance(rows, Mapping) else ():
            for key in _UNENFORCED if isinstance(row, Mapping) else ():
                places = {f"mcp_servers.{name}.{key}", f"mcp_servers.{name}", "mcp_servers"}
                if row.get(key) not in (None, False, {}, []) and not places & accepted:
                    raise ValueError(
                        f"{name}.{key}: this gateway does not enforce it; remove it, "
                        f"or list mcp_servers.{name}.{key} in routeiq.compat.accept_unenforced"
                    )
        return rows

    @field_validator("servers")
    @classmethod
    def _rows(cls, rows: dict[str, ServerRow]) -> dict[str, ServerRow]:
        for name, row in rows.items():
            check_name(name)
            try:
                row.outbound  # noqa: B018
            except ValueError as error:
                raise ValueError(f"{name}: {_said(error)}") from None
        return rows

    @model_validator(mode="after")
    def _names_apart(self) -> McpConfig:
        owners: dict[str, str] = {}
        for name, row in self.servers.items():
            for told in dict.fromkeys((name, self.alias_of(name), row.server_id or name)):
                if told is not None and owners.setdefault(told, name) != name:
                    raise ValueError(f"mcp_servers: {name} and {owners[told]} both go by {told!r}; rename one")
        groups = {group for row in self.servers.values() for group in row.access_groups}
        for group in sorted(groups & owners.keys()):
            raise ValueError(f"mcp_servers: {group!r} is an access group and a server; rename one")
        for name, virtual in self.virtual_servers.items():
            try:
                check_name(name)
            except ValueError as error:
                raise ValueError(f"virtual_servers: {error}") from None
            if name in owners or name in groups:
                raise ValueError(f"virtual_servers.{name}: a server or access group has this name; choose another")
            if len(set(virtual.servers)) < len(virtual.servers):
                raise ValueError(f"virtual_servers.{name}: a server is listed twice")
        for alias, name in self.all_aliases.items():
            if name not in self.servers:
                raise ValueError(f"mcp_aliases.{alias}: there is no server {name!r} in mcp_servers")
        return self

    @property
    def all_aliases(self) -> Mapping[str, str]:
        """From alias to server, as both places say."""
        return {**self.top_aliases, **self.aliases}

    def alias_of(self, name: str) -> str | None:
        """The alias of a server of the YAML."""
        own = self.servers[name].alias
        return own or next((alias for alias, target in self.all_aliases.items() if target == name), None)


def _said(error: ValueError) -> str:
    """The sentence of an error, without pydantic's frame around it."""
    told = getattr(error, "errors", None)
    if not callable(told):
        return str(error)
    return "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in told(include_input=False))
