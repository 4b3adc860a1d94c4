"""The rows of `guardrails:` that this guard serves, and their options.

What the options do is done elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from routeiq_guard_secrets.detectors import ALL, DETECTORS
from routeiq_sdk.guards import GuardConfig, Mode, RailOptions

_HASH = re.compile("sha256:[0-9a-fA-F]{64}")


class Options(RailOptions):
    """`litellm_params` of a row."""

    action: Literal["mask", "block"] = Field(
        "mask", description="mask: [REDACTED] stands in a credential's place. block: the text is refused."
    )
    detect_secrets_config: Mapping[str, Any] | None = Field(
        None, description="LiteLLM's plugins_used, a list of {name: ...}: which detectors look. Empty: all."
    )
    entropy: float = Field(
        3.0, ge=0, le=8, description="The least entropy, in bits a character, of a value that a word gives away."
    )
    allow: tuple[str, ...] = Field(
        (), description="Credentials that may pass: regular expressions for all of one, or sha256: and its hash."
    )

    @field_validator("detect_secrets_config")
    @classmethod
    def _known(cls, written: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if written is None:
            return None
        plugins = written.get("plugins_used")
        if set(written) != {"plugins_used"} or not isinstance(plugins, list) or not plugins:
            raise ValueError("write plugins_used: [{name: AWSKeyDetector}, ...] and nothing else")
        for plugin in plugins:
            name = plugin.get("name") if isinstance(plugin, Mapping) else None
            if name not in DETECTORS:
                raise ValueError(f"no detector is called {name!r}; there are: {', '.join(sorted(DETECTORS))}")
        return written

    @field_validator("allow")
    @classmethod
    def _usable(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        for number, entry in enumerate(written):
            if entry.startswith("sha256:") and not _HASH.fullmatch(entry):
                raise ValueError(f"entry {number}: after sha256: stand 64 hexadecimal digits")
            try:
                re.compile(entry)
            except re.error as error:
                raise ValueError(f"entry {number} is no regular expression: {error}") from None
        return written

    @model_validator(mode="after")
    def _possible(self) -> Options:
        if Mode.DURING in self.mode and self.action == "mask":
            raise ValueError(
                "`during_call` looks while the model already reads, so it cannot mask: write `action: block` or"
                " `mode: pre_call`"
            )
        return self

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of credential that are looked for."""
        if self.detect_secrets_config is None:
            return ALL
        names = [plugin["name"] for plugin in self.detect_secrets_config["plugins_used"]]
        return frozenset(kind for name in names for kind in DETECTORS[name])


class Config(GuardConfig[Options]):
    """The guard's rows."""

    kinds = frozenset({"guard-secrets", "hide-secrets", "hide_secrets"})
