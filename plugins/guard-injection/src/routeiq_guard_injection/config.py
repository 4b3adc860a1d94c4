"""The rows of `guardrails:` that this guard serves, and their options; LiteLLM's callback of the same purpose.

What is done with them is in `plugin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from routeiq_sdk import FromLitellm, PluginConfig
from routeiq_sdk.guards import GuardConfig, Mode, RailOptions

CALLBACK = "detect_prompt_injection"
LAKERA = "lakera_prompt_injection"
_STRICTER = 0.6
"""By how much the threshold of what nobody typed is lower."""

Part = Literal["user", "input", "tool_result", "document", "tools", "arguments", "assistant", "reasoning", "system"]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
_TYPED: tuple[Part, ...] = ("user", "input")
_FETCHED: tuple[Part, ...] = ("tool_result", "document", "tools")


def _host(name: str) -> str:
    if not name or any(sign in name for sign in "/:*@ ") or name != name.strip("."):
        raise ValueError("write a host alone (`cdn.example.com`); names below it are trusted with it")
    return name.lower()


class Options(RailOptions):
    """`litellm_params` of a row."""

    threshold: Share = Field(
        0.5, description="The score from which on a text is refused: 0.5 by default, lower is stricter."
    )
    thresholds: Mapping[Part, Share | Literal[False]] = Field(
        default_factory=dict,
        description="The same by part: user, input, tool_result, document, tools, arguments, assistant, reasoning, "
        "system. Without it user and input have `threshold`, tool_result, document and tools 0.6 of it, and the others "
        "are not looked at; `false` means not looked at.",
    )
    heuristics: bool = Field(True, description="Whether phrases, forged markup and encoded texts are looked for.")
    classifier: bool = Field(True, description="Whether the trained classifier is asked.")
    canary: bool = Field(
        False,
        description="Whether a random token is put into the system prompt, and an answer that repeats it is refused. "
        "Needs the modes pre_call and post_call.",
    )
    links: Literal["block", "mask", "off"] = Field(
        "block",
        description="What is done with an image or a link in an answer that carries much data to a foreign host.",
    )
    trusted_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        (), description="Hosts to which images and links may carry data, with the names below them."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_service(cls, written: Any) -> Any:
        if isinstance(written, Mapping) and written.get("guardrail") == LAKERA:
            for key in ("api_key", "api_base", "category_thresholds", "moderation_check"):
                if key in written:
                    raise ValueError(
                        f"{key} belongs to Lakera's service, which this guard does not ask: take it away, or write "
                        "`guardrail: lakera_v2` and name the plugin guard-external"
                    )
        return written

    @model_validator(mode="after")
    def _sound(self) -> Options:
        if self.canary and not {Mode.PRE, Mode.POST} <= set(self.mode):
            raise ValueError("canary needs `mode: [pre_call, post_call]`: one plants the token, the other finds it")
        asks = {Mode.PRE, Mode.DURING, Mode.LOGGING} & set(self.mode)
        if asks and not (self.heuristics or self.classifier or self.canary):
            raise ValueError("nothing would be looked for in requests: switch heuristics or classifier on")
        if set(self.mode) == {Mode.POST} and self.links == "off":
            raise ValueError("nothing would be looked for in answers: `links` is off and `canary` needs pre_call too")
        return self

    def judged(self) -> dict[str, float]:
        """The threshold of each part that is looked at."""
        by_part: dict[str, float] = dict.fromkeys(_TYPED, self.threshold)
        by_part |= dict.fromkeys(_FETCHED, self.threshold * _STRICTER)
        for part, threshold in self.thresholds.items():
            if threshold is False:
                by_part.pop(part, None)
            else:
                by_part[part] = threshold
        return by_part


class InjectionParams(PluginConfig):
    """LiteLLM's `litellm_settings.prompt_injection_params`."""

    heuristics_check: bool = Field(False, description="Whether phrases are looked for, as `heuristics` of a row.")
    similarity_check: bool = Field(
        False, description="Whether the classifier is asked, in the place of LiteLLM's comparison with known attacks."
    )
    llm_api_check: bool = Field(False, description="Not served: a model that judges is a row of `llm_judge`.")
    llm_api_name: str | None = Field(None, description="Kept, not used.")
    llm_api_system_prompt: str | None = Field(None, description="Kept, not used.")
    llm_api_fail_call_string: str | None = Field(None, description="Kept, not used.")
    reject_as_response: bool = Field(False, description="Not served: a refusal is an error, never an answer.")
    skip_unscannable_attachments: bool = Field(
        True, description="Served as true: audio, images and other binary data pass unread. `false` is an error."
    )

    @model_validator(mode="after")
    def _served(self) -> InjectionParams:
        if self.llm_api_check:
            raise ValueError(
                "llm_api_check is not served: take it away, and write a row of `guardrails:` with "
                "`guardrail: llm_judge` (plugin guard-external)"
            )
        if self.reject_as_response:
            raise ValueError("reject_as_response is not served, a refusal is an error with status 400: take it away")
        if not self.skip_unscannable_attachments:
            raise ValueError("attachments that are no text are not read and not refused: take it away, or write true")
        if self.model_fields_set and not (self.heuristics_check or self.similarity_check):
            raise ValueError("nothing would be looked for: switch heuristics_check or similarity_check on")
        return self


def _names(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


class Config(GuardConfig[Options]):
    """The guard's rows."""

    kinds = frozenset({"guard-injection", CALLBACK, LAKERA})

    callbacks: Annotated[tuple[str, ...], BeforeValidator(_names), FromLitellm("litellm_settings.callbacks")] = Field(
        (), description="`detect_prompt_injection` among them looks at every request, like a row that is always on."
    )
    prompt_injection_params: Annotated[
        InjectionParams | None, FromLitellm("litellm_settings.prompt_injection_params")
    ] = Field(None, description="What that callback looks for; phrases and the classifier without it.")

    @field_validator("callbacks")
    @classmethod
    def _own_callbacks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if LAKERA in names:
            raise ValueError(
                f"{LAKERA} asks Lakera's service, which this guard does not: write a row of `guardrails:` with "
                "`guardrail: lakera_v2` (plugin guard-external) or `guardrail: guard-injection` (no service)"
            )
        return names

    def of_callback(self) -> Options | None:
        """The options of the row that LiteLLM's callback stands for."""
        if CALLBACK not in self.callbacks:
            return None
        params = self.prompt_injection_params
        return Options(
            guardrail=CALLBACK,
            mode=(Mode.PRE,),
            default_on=True,
            heuristics=params is None or params.heuristics_check,
            classifier=params is None or params.similarity_check,
        )
