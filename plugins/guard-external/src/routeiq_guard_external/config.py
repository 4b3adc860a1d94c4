"""The rows of `guardrails:` that this guard serves, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from routeiq_guard_external.contracts.openai import CATEGORIES
from routeiq_guard_external.served import NOT_SERVED, SERVED, Contract
from routeiq_sdk import Secret
from routeiq_sdk.guards import GuardConfig, RailOptions

DEFAULT_BASES: Mapping[Contract, str] = {
    Contract.OPENAI: "https://api.openai.com/v1",
    Contract.LAKERA: "https://api.lakera.ai",
}
_ONLY: Mapping[str, frozenset[Contract]] = {
    "api_base": frozenset(Contract) - {Contract.MODEL},
    "api_key": frozenset(Contract) - {Contract.MODEL},
    "headers": frozenset(Contract) - {Contract.MODEL},
    "model": frozenset({Contract.OPENAI, Contract.MODEL}),
    "categories": frozenset({Contract.OPENAI}),
    "policy": frozenset({Contract.MODEL}),
    "project_id": frozenset({Contract.LAKERA}),
    "on_flagged": frozenset({Contract.LAKERA}),
    "send_identity": frozenset({Contract.GENERIC, Contract.HTTP}),
    "show_reason": frozenset({Contract.GENERIC, Contract.HTTP}),
    "additional_provider_specific_params": frozenset({Contract.GENERIC, Contract.HTTP, Contract.MODEL}),
}
_OWN_FIELDS = frozenset({"model", "messages", "stream"})
_NOT_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def _web_url(written: str) -> str:
    parts = urlsplit(written)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not an absolute http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not stand in an address; write api_key or headers")
    if parts.query or parts.fragment:
        raise ValueError("an address here has neither ? nor #")
    return written.rstrip("/")


Base = Annotated[str, AfterValidator(_web_url)]


class Options(RailOptions):
    """`litellm_params` of a row."""

    api_base: Base | None = Field(None, description="The address of the service.")
    api_key: Secret | None = Field(None, description="The key of the service. It is sent to `api_base` alone.")
    headers: Mapping[str, Secret] = Field(default_factory=dict, description="More headers for the service.")
    model: str | None = Field(
        None,
        min_length=1,
        description="`openai_moderation`: the service's model. `llama_guard`: the model of this gateway that judges.",
    )
    timeout: float = Field(5.0, gt=0, le=25, description="Seconds for one verdict, a second try included.")
    unreachable_fallback: Literal["fail_closed", "fail_open"] = Field(
        "fail_closed",
        description="What becomes of a text when there is no connection, no answer in time, a status 429 or 5xx: "
        "`fail_closed` refuses it (503), `fail_open` lets it pass and notes it.",
    )
    fail_on_error: bool = Field(
        True,
        description="Whether a text is refused (503) when the service answers what is no verdict: another status, "
        "no JSON, too much. If not, it passes and this is noted.",
    )
    breaker_failures: int = Field(
        5, ge=1, le=1000, description="After so many failures in a row to reach the service it is left alone."
    )
    breaker_seconds: float = Field(10.0, gt=0, le=3600, description="For how long. Then one text tries again.")
    stream_window: int = Field(400, ge=40, le=16000, description="Characters of a stream that are judged at once.")
    stream_overlap: int = Field(
        100, ge=0, le=4000, description="Characters before a window that are shown with it: already sent, for context."
    )
    send_identity: bool = Field(False, description="Whether the service learns who asks: ids of key, user, team.")
    show_reason: bool = Field(
        False,
        description="Whether clients and records see the service's own reason. It may quote what it judged.",
    )
    categories: Mapping[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=dict,
        description="Categories that count, each with the score from which it refuses. Without it the service decides.",
    )
    policy: Mapping[str, str] | Literal["model"] = Field(
        default_factory=dict,
        description="What is unsafe: codes and their meanings, instead of S1 to S14. `model`: the model's own template "
        "holds it, so that the texts are sent bare.",
    )
    project_id: str | None = Field(None, description="Lakera's project, whose policy applies.")
    on_flagged: Literal["block", "monitor"] = Field(
        "block", description="`monitor` notes what Lakera flags and lets it pass."
    )
    additional_provider_specific_params: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Handed to the service as it is. `llama_guard`: fields of the call to the model (`max_tokens`).",
    )

    @field_validator("guardrail")
    @classmethod
    def _served(cls, name: str) -> str:
        if name in NOT_SERVED:
            raise ValueError(
                f"the guardrail {name!r} is not served; served are {', '.join(sorted(SERVED))}. If the service speaks "
                "LiteLLM's generic contract, or something in front of it does, write guardrail: generic_guardrail_api"
            )
        return name

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: Mapping[str, Secret]) -> Mapping[str, Secret]:
        for name, value in headers.items():
            if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError("the name of a header has letters, digits, - and _")
            if name.lower() in _NOT_HEADERS:
                raise ValueError(f"the header {name!r} is the gateway's own")
            if not value.reveal().isprintable():
                raise ValueError(f"the header {name!r} holds a character that no header can hold")
        return headers

    @field_validator("api_key")
    @classmethod
    def _header_value(cls, key: Secret | None) -> Secret | None:
        if key is not None and not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ValueError("the key holds a character that no header can hold")
        return key

    @field_validator("policy")
    @classmethod
    def _codes(cls, policy: Any) -> Any:
        if isinstance(policy, Mapping):
            for code, meaning in policy.items():
                if not code.isascii() or not code.isalnum() or len(code) > 16:
                    raise ValueError("a code has 1 to 16 letters and digits, as S1")
                if not meaning.strip():
                    raise ValueError(f"{code} has no meaning")
        return policy

    @model_validator(mode="after")
    def _whole(self) -> Options:
        contract = self.contract
        written = self.model_fields_set
        if self.guardrail == "guard-external" and {"model", "api_base"} <= written:
            raise ValueError("api_base asks a service and model a model of this gateway; write one of them")
        for field, contracts in _ONLY.items():
            if field in written and contract not in contracts:
                where = ", ".join(sorted(name for name, each in SERVED.items() if each in contracts))
                raise ValueError(f"{field} is no option of {self.guardrail!r}; it is one of {where}")
        if contract is Contract.MODEL and self.model is None:
            raise ValueError("model is missing: the model_name of this gateway that judges")
        if contract is not Contract.MODEL and self.base is None:
            raise ValueError("api_base is missing: the address of the service")
        if contract in DEFAULT_BASES and self.api_base is None and not self.api_key:
            raise ValueError(f"api_key is missing: {self.base} wants one")
        if contract is Contract.APORIA and not self.api_key:
            raise ValueError("api_key is missing: Aporia wants one")
        if contract is Contract.OPENAI and self.api_base is None:
            unknown = sorted(set(self.categories) - CATEGORIES)
            if unknown:
                raise ValueError(f"{unknown[0]!r} is no category of OpenAI; they are {', '.join(sorted(CATEGORIES))}")
        own = sorted(_OWN_FIELDS & self.additional_provider_specific_params.keys())
        if contract is Contract.MODEL and own:
            raise ValueError(f"additional_provider_specific_params may not hold {own[0]}; the guard writes it")
        return self

    @property
    def contract(self) -> Contract:
        """Whom the row asks."""
        if self.guardrail == "guard-external" and self.model is not None and self.api_base is None:
            return Contract.MODEL
        return SERVED[self.guardrail]

    @property
    def base(self) -> str | None:
        """The address of the service."""
        return self.api_base or DEFAULT_BASES.get(self.contract)


class Config(GuardConfig[Options]):
    """The guard's rows."""

    kinds = frozenset(SERVED) | NOT_SERVED
