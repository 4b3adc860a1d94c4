"""A row of LiteLLM's `mcp_servers`: its keys in LiteLLM's words, ours beside them, and what they mean together.

How the server is then called is the transports' business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from routeiq_sdk import PluginConfig, Secret
from routeiq_sdk.values.delegation import OutboundAuth

SERVER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
TAKEN_NAMES = frozenset({"mcp"})
_NANO = 1_000_000_000
_OWN_HEADERS = frozenset({"authorization", "cookie", "x-api-key", "api-key", "x-litellm-api-key"})
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OF_THE_WIRE = frozenset(
    {"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "te", "upgrade"}
    | {"accept", "accept-encoding", "last-event-id", "traceparent", "tracestate", "cookie", "proxy-authorization"}
)
_STATIC: Mapping[str, tuple[str, str]] = {
    "api_key": ("X-API-Key", ""),
    "bearer_token": ("Authorization", "Bearer "),
    "basic": ("Authorization", "Basic "),
    "authorization": ("Authorization", ""),
    "token": ("Authorization", "token "),
}
_ELSEWHERE = {
    "aws_sigv4": "requests are not signed for AWS; put a signing proxy in front of the server",
    "true_passthrough": "the client's Authorization is never passed on; use auth: {mode: passthrough, header: ...}",
    "oauth_delegate": "the client's Authorization is never passed on; use auth: {mode: authorization_code}",
}

AuthType = Literal[
    "none", "api_key", "bearer_token", "basic", "authorization", "token", "oauth2", "oauth2_token_exchange"
]


def _texts(value: Any) -> Any:
    """A list written as one text, as LiteLLM takes it."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """`value` with its secrets as text: the model that takes it hides them itself."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class PinnedTool(PluginConfig):
    """What a tool said when the operator looked at it."""

    model_config = ConfigDict(extra="ignore")

    description: str | None = Field(None, description="Its description.")
    input_schema: dict[str, Any] | None = Field(None, description="The schema of its arguments.")


class ServerRow(PluginConfig):
    """One server behind the gateway. Keys of LiteLLM that mean nothing here are accepted and have no effect."""

    model_config = ConfigDict(extra="ignore")

    url: str | None = Field(None, description="The server's address.")
    transport: Literal["http", "sse", "stdio"] | None = Field(
        None,
        description="How it is spoken to. Without it: `stdio` for a `command`, `sse` for a URL that ends in /sse, "
        "else `http`.",
    )
    command: str | None = Field(None, description="The program of a stdio server.")
    args: tuple[Any, ...] = Field((), description="Its arguments.")
    env: dict[str, Any] | None = Field(None, description="Its environment.")
    env_vars: dict[str, Any] | None = Field(None, description="The same, under its other name.")
    cwd: str | None = Field(None, description="The folder in which it is started.")
    signature: str | None = Field(None, description="What `routeiq mcp sign` printed for the program.")
    spec_path: str | None = Field(None, description="An OpenAPI document, file or URL, whose operations become tools.")
    spec_version: str | None = Field(None, description="The protocol version to speak; found out when left out.")
    protocol_version: str | None = Field(None, description="The same, under its other name.")
    auth_type: AuthType | None = Field(None, description="How the gateway authenticates, in LiteLLM's words.")
    auth_value: Secret | None = Field(None, description="The credential of a static `auth_type`.")
    authentication_token: Secret | None = Field(None, description="The same, under its other name.")
    oauth2_flow: Literal["client_credentials", "authorization_code"] | None = Field(
        None, description="`oauth2`: in the gateway's own name, or each user in their own."
    )
    client_id: str | None = Field(None, description="The OAuth client.")
    client_secret: Secret | None = Field(None, description="Its secret.")
    authorization_url: str | None = Field(None, description="The authorization endpoint, instead of discovery.")
    token_url: str | None = Field(None, description="The token endpoint, instead of discovery.")
    scopes: Names = Field((), description="The OAuth scopes to ask for.")
    audience: str | None = Field(None, description="`audience` of a token exchange.")
    auth: OutboundAuth | None = Field(None, description="How the gateway authenticates; instead of `auth_type`.")
    static_headers: dict[str, Secret] = Field({}, description="Headers that go with every call.")
    extra_headers: Names = Field((), description="Headers of the client that are passed on.")
    client_headers: Names = Field(
        (),
        description="Headers that a client may give for this server alone: `x-mcp-SERVER-HEADER` is passed on as "
        "`HEADER`. SERVER is the name or the alias.",
    )
    description: str | None = Field(None, description="What the server is for.")
    instructions: str | None = Field(None, description="Instructions for models, instead of the server's own.")
    alias: str | None = Field(None, description="Its name in paths and in front of its tools' names.")
    server_id: str | None = Field(None, min_length=1, description="Its id; the name when left out.")
    mcp_info: dict[str, Any] = Field({}, description="Facts about the server, and `mcp_server_cost_info`.")
    timeout: float | None = Field(None, gt=0, le=3600, description="Seconds that a call may take.")
    list_seconds: float | None = Field(
        None, ge=0, le=86_400, description="How long its lists are kept, whatever the server says."
    )
    access_groups: Names = Field((), description="Groups of servers that it belongs to.")
    allowed_tools: Names | None = Field(None, description="The only tools that are offered.")
    disallowed_tools: Names = Field((), description="Tools that are never offered.")
    allowed_params: dict[str, Names] = Field({}, description="By tool: the only parameters that it may be given.")
    pinned_tools: dict[str, PinnedTool] | None = Field(
        None, description="The only tools that are offered, each as long as it is what it says here."
    )
    rpm: int | None = Field(None, ge=1, description="Calls a minute, of all callers together.")
    max_concurrent_requests: int | None = Field(None, ge=1, description="Calls at once, of all callers together.")

    @field_validator("auth", mode="before")
    @classmethod
    def _open(cls, value: Any) -> Any:
        return _plain(value)

    @field_validator("auth_type", mode="before")
    @classmethod
    def _served(cls, value: Any) -> Any:
        if value in _ELSEWHERE:
            raise ValueError(f"{value} is not served: {_ELSEWHERE[value]}")
        return value

    @field_validator("extra_headers")
    @classmethod
    def _never_ours(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} carries the gateway's own credentials and is never passed on")
        return names

    @field_validator("client_headers")
    @classmethod
    def _of_the_server(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _HEADER.fullmatch(name) or name.lower() in _OF_THE_WIRE or name.lower().startswith("mcp-"):
                raise ValueError(f"{name} is no header that a client may give for a server")
        return names

    @field_validator("allowed_tools")
    @classmethod
    def _some(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and not names:
            raise ValueError("an empty list offers nothing; remove it to offer all tools")
        return names

    @field_validator("alias")
    @classmethod
    def _usable(cls, alias: str | None) -> str | None:
        if alias is not None:
            check_name(alias)
        return alias

    @field_validator("mcp_info")
    @classmethod
    def _priced(cls, info: dict[str, Any]) -> dict[str, Any]:
        prices_of(info)
        return info

    @model_validator(mode="after")
    def _one_server(self) -> ServerRow:
        if self.auth is not None and self.auth_type not in (None, "none"):
            raise ValueError("both auth and auth_type: say it in one place")
        given = [name for name in ("command", "spec_path") if getattr(self, name) is not None]
        if not (self.url or given):
            raise ValueError("neither url nor command nor spec_path: there is nothing to call")
        if len(given) > 1:
            raise ValueError("both command and spec_path: they are two servers")
        if self.command is not None and self.transport not in (None, "stdio"):
            raise ValueError(f"a command is started over stdio, not {self.transport}")
        both = sorted(set(self.allowed_tools or ()) & set(self.disallowed_tools))
        if both:
            raise ValueError(f"{both[0]!r} is in allowed_tools and in disallowed_tools; say one")
        if self.client_headers and self.outbound.mode not in ("none", "static"):
            raise ValueError(f"client_headers, while auth {self.outbound.mode} brings the credential: say one")
        if self.transport == "stdio" and self.command is None:
            raise ValueError("transport stdio starts a program; add command")
        return self

    @property
    def outbound(self) -> OutboundAuth:
        """How the gateway authenticates. Raises `ValueError` for a type whose parts are missing."""
        if self.auth is not None:
            return self.auth
        kind = self.auth_type or "none"
        if kind == "none":
            return OutboundAuth()
        if kind in _STATIC:
            credential = self.auth_value or self.authentication_token
            if credential is None:
                raise ValueError(f"auth_type {kind} sends auth_value, and there is none")
            header, prefix = _STATIC[kind]
            return OutboundAuth.model_validate({"mode": "static", "headers": {header: prefix + credential.reveal()}})
        return OutboundAuth.model_validate(
            {
                "mode": self._grant(kind),
                "client_id": self.client_id,
                "client_secret": self.client_secret.reveal() if self.client_secret is not None else None,
                "token_url": self.token_url,
                "authorization_url": self.authorization_url,
                "scopes": self.scopes,
                "audience": self.audience,
            }
        )

    def _grant(self, kind: str) -> str:
        if kind == "oauth2_token_exchange":
            return "token_exchange"
        if self.oauth2_flow is not None:
            return self.oauth2_flow
        own = self.client_id is not None and self.client_secret is not None and self.token_url is not None
        return "client_credentials" if own and self.authorization_url is None else "authorization_code"


def prices_of(info: Mapping[str, Any]) -> tuple[int, Mapping[str, int]]:
    """What a call costs, in nano-USD: of any tool, and by tool. Raises `ValueError`."""
    told = info.get("mcp_server_cost_info") or {}
    if not isinstance(told, Mapping):
        raise ValueError("mcp_server_cost_info is a mapping")
    by_tool = told.get("tool_name_to_cost_per_query") or {}
    if not isinstance(by_tool, Mapping):
        raise ValueError("tool_name_to_cost_per_query is a mapping of tools to USD")
    default = told.get("default_cost_per_query")
    return _nano(default if default is not None else 0), {str(tool): _nano(usd) for tool, usd in by_tool.items()}


def _nano(usd: Any) -> int:
    if isinstance(usd, bool) or not isinstance(usd, int | float | str):
        raise ValueError("a cost is a number of USD")
    try:
        nano = Decimal(str(usd)) * _NANO
    except ArithmeticError:
        raise ValueError("a cost is a number of USD") from None
    if not nano.is_finite() or not 0 <= nano < 2**62:
        raise ValueError("a cost is a number of USD, not below zero")
    return int(nano.to_integral_value(rounding="ROUND_CEILING"))


def check_name(name: str) -> str:
    """A name that can stand in a path. Raises `ValueError`."""
    if not SERVER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a server: letters, digits, `_`, `-` and `.`, at most 64")
    if name.lower() in TAKEN_NAMES:
        raise ValueError(f"{name!r} names all servers together; choose another name")
    return name
