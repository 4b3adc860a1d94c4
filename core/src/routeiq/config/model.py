"""The configuration: one immutable value that everything else is built from.

How it is read is in `load`; the parts are in `rows`, `settings` and `routeiq_block`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from routeiq.config.errors import ConfigErrors
from routeiq.config.master_key import master_key_problem
from routeiq.config.notices import Notice, ProtectiveKey
from routeiq.config.position import Positions
from routeiq.config.routeiq_block import RouteiqBlock
from routeiq.config.rows import ModelRow
from routeiq.config.secret_names import names_a_secret, secrets_in
from routeiq.config.server_block import Server
from routeiq.config.settings import GeneralSettings, LitellmSettings, RouterSettings
from routeiq.config.validation import checked
from routeiq_sdk import Secret

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. It prints without secrets."""

    models: tuple[ModelRow, ...]
    router: RouterSettings
    litellm: LitellmSettings
    general: GeneralSettings
    routeiq: RouteiqBlock
    extra: Mapping[str, Any] = field(repr=False)
    """The sections without a type, references resolved, secrets as `Secret`: guardrails, mcp_servers, ..."""
    written: Mapping[str, Any] = field(repr=False, compare=False)
    """The whole document, references resolved: where plugins' `FromLitellm` fields are read."""
    notices: tuple[Notice, ...]
    protective: tuple[ProtectiveKey, ...]
    """Protective keys in effect that the core does not implement and nobody accepted unenforced."""
    revision: str
    sources: tuple[Path, ...]
    environment: Mapping[str, str] = field(repr=False)
    """`environment_variables`, for export by whoever starts the process. May hold secrets."""
    positions: Positions = field(repr=False, compare=False)
    """Where each key was written, for the errors of plugins."""

    @property
    def master_key(self) -> Secret:
        """The proxy admin's key; a loaded configuration always has one."""
        if self.general.master_key is None:
            raise LookupError("a configuration is loaded with a master key or not at all")
        return self.general.master_key

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that was written or referred to."""
        exported = (Secret(value) for name, value in self.environment.items() if names_a_secret(name))
        return (*secrets_in(self.written), *exported, self.master_key)

    @property
    def guardrail_names(self) -> frozenset[str]:
        """The names of the rows of `guardrails`."""
        return guardrail_names(self.extra)

    @property
    def body_bytes(self) -> int:
        """Largest request body: the smaller of LiteLLM's `max_request_size_mb` and `routeiq.limits.body_mib`."""
        sizes = [self.routeiq.limits.body_mib]
        if self.general.max_request_size_mb is not None:
            sizes.append(self.general.max_request_size_mb)
        return int(min(sizes) * _MIB)

    def with_server(self, **changes: Any) -> Config:
        """This configuration with other `routeiq.server` values (from a command line), under the same rules.

        Raises `ConfigErrors` for a bad value, and when a weak master key would listen beyond loopback.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        written = self.routeiq.server.model_dump(exclude_unset=True)
        server, found = checked(Server, {**written, **given}, ("routeiq", "server"), self.positions)
        if server is None:
            raise ConfigErrors(found)
        problem = master_key_problem(self.general.master_key, False, server, self.positions, {})
        if problem:
            raise ConfigErrors([problem])
        return replace(self, routeiq=self.routeiq.model_copy(update={"server": server}))


def guardrail_names(document: Mapping[str, Any]) -> frozenset[str]:
    """The names of the rows of `guardrails` in a document."""
    rows = document.get("guardrails")
    named = (row.get("guardrail_name") for row in (rows if isinstance(rows, list) else ()) if isinstance(row, Mapping))
    return frozenset(name for name in named if isinstance(name, str))
