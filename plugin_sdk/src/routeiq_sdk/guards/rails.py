"""LiteLLM's `guardrails:` rows, and which of them apply to a request.

What a guard does with its options is its own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import Field, field_validator

from routeiq_sdk.context import Context
from routeiq_sdk.plugin import FromLitellm, PluginConfig
from routeiq_sdk.values.verdict import Reject, Stop

VIOLATION = "content_policy_violation"
"""The type of every refusal of a guardrail."""


class Mode(StrEnum):
    """When a guardrail looks."""

    PRE = "pre_call"
    """At the request, before a model is chosen."""
    DURING = "during_call"
    """At the request, while the model is already called; the answer waits for it. It can refuse and change nothing."""
    POST = "post_call"
    """At the answer, whole or as a stream."""
    LOGGING = "logging_only"
    """At both, and changes neither: what it finds is recorded, and masked in what sinks keep of the texts."""
    TOOL = "pre_mcp_call"
    """At the arguments of a tool call that the gateway makes."""
    RESULT = "post_mcp_call"
    """At what a tool gave, and, for a row that is on by default, at what servers say of their tools."""


class RailOptions(PluginConfig):
    """`litellm_params` of a row. A guard adds its own options in a subclass."""

    guardrail: str = Field(description="The guard: a name that LiteLLM knows, or the plugin's.")
    mode: tuple[Mode, ...] = Field(
        min_length=1,
        description="When it looks: pre_call, during_call, post_call, logging_only, pre_mcp_call, post_mcp_call; or a "
        "list.",
    )
    default_on: bool = Field(
        False, description="Whether it looks at every request; else where a request, a key, a team or a model names it."
    )
    violation_message_template: str | None = Field(
        None,
        max_length=2000,
        description="What a refused client reads. `{guardrail_name}` stands for the name; nothing else is replaced.",
    )

    @field_validator("mode", mode="before")
    @classmethod
    def _listed(cls, written: Any) -> Any:
        return [written] if isinstance(written, str) else written


O = TypeVar("O", bound=RailOptions)  # noqa: E741


class GuardrailRow(PluginConfig, Generic[O]):
    """One row of `guardrails:`."""

    guardrail_name: str = Field(
        min_length=1, description="The name by which requests, keys, teams and models ask for it."
    )
    guardrail_id: str | None = Field(None, description="Kept, not used.")
    litellm_params: O = Field(description="Which guard, when it looks, and its options.")
    guardrail_info: Mapping[str, Any] | None = Field(None, description="Kept, not used.")
    policy_template: str | None = Field(None, description="Kept, not used.")


class GuardConfig(PluginConfig, Generic[O]):
    """Base of a guard's configuration: the rows of `guardrails:` whose `guardrail` is one of its `kinds`.

    ```python
    class Config(GuardConfig[Options]):
        kinds = frozenset({"my-guard"})
    ```
    """

    kinds: ClassVar[frozenset[str]] = frozenset()

    guardrails: Annotated[tuple[GuardrailRow[O] | None, ...], FromLitellm("guardrails")] = Field(
        (), description="Its rows of `guardrails:`; those of other guards are left out."
    )

    @field_validator("guardrails", mode="before")
    @classmethod
    def _own(cls, rows: Any) -> Any:
        if not isinstance(rows, list | tuple):
            return rows
        return [row if _kind(row) in cls.kinds else None for row in rows]  # in their places, for errors that name them


@dataclass(frozen=True, slots=True)
class Rail(Generic[O]):
    """A row, ready for use."""

    name: str
    options: O

    @property
    def modes(self) -> tuple[Mode, ...]:
        """When it looks."""
        return self.options.mode

    def refusal(self, what: str, found: str) -> str:
        """The message of a refusal of `what` (`request`, `answer`, `tool call`) that holds what was `found`."""
        template = self.options.violation_message_template
        if template is not None:
            return template.replace("{guardrail_name}", self.name)
        return f"The {what} was refused by the guardrail {self.name!r}: it holds {found}."

    def reject(self, what: str, found: str) -> Reject:
        """The refusal of a request, a whole answer, a text."""
        return Reject(400, self.refusal(what, found), type=VIOLATION, code=VIOLATION)

    def stop(self, found: str) -> Stop:
        """The end of a stream."""
        return Stop(self.refusal("answer", found), VIOLATION)


def rails_of(config: GuardConfig[O]) -> tuple[Rail[O], ...]:
    """The rows of a guard, in their order."""
    return tuple(Rail(row.guardrail_name, row.litellm_params) for row in config.guardrails if row is not None)


def named_by(ctx: Context) -> frozenset[str]:
    """The guardrails that the request, its key or its team name."""
    return frozenset((*named_in_request(ctx), *named_by_caller(ctx)))


def named_in_request(ctx: Context) -> Iterator[str]:
    """What the body names: `guardrails`, or those of its metadata."""
    asked = ctx.asked
    if asked is not None:
        yield from names_in(asked.param("guardrails"))
        for field in ("metadata", "litellm_metadata"):
            yield from names_in(_field(asked.param(field), "guardrails"))


def named_by_caller(ctx: Context) -> Iterator[str]:
    """What the metadata of the key and of its team name."""
    for told in _metadata(ctx):
        yield from names_in(told.get("guardrails"))


def without_defaults(ctx: Context) -> bool:
    """Whether the caller's key or team is spared those that look at every request. Only who manages keys can say so."""
    return any(told.get("disable_global_guardrails") is True for told in _metadata(ctx))


def names_in(value: Any) -> Iterator[str]:
    """`[name, {name: options}]`, as LiteLLM's clients write it; one alone needs no list. What is no name is told as it
    was written: no row has it."""
    for entry in value if isinstance(value, list | tuple) else [value]:
        for name in entry if isinstance(entry, Mapping) else [entry]:
            if name is not None:
                yield name if isinstance(name, str) else repr(name)


def _metadata(ctx: Context) -> Iterator[Mapping[str, Any]]:
    principal = ctx.identified
    if principal is None:
        return
    for name in ("metadata", "team_metadata"):
        told = principal.attributes.get(name)
        if isinstance(told, Mapping):
            yield told


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _kind(row: Any) -> Any:
    return _field(_field(row, "litellm_params"), "guardrail")
