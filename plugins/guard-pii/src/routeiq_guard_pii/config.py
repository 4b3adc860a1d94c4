"""The rows of `guardrails:` that this guard serves, and their options.

What the options do is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from routeiq_guard_pii.builtin import BY_NAME_ONLY, ENTITIES
from routeiq_sdk import Secret
from routeiq_sdk.guards import GuardConfig, Mode, RailOptions

_SHORTEST_KEY = 16
_SENT = (Mode.PRE, Mode.LOGGING)

Score = Annotated[float, Field(ge=0, le=1)]


class Action(StrEnum):
    """What becomes of what is found."""

    MASK = "MASK"
    """`<EMAIL_ADDRESS>` stands in its place."""
    BLOCK = "BLOCK"
    """The text is refused."""
    HASH = "HASH"
    """`<EMAIL_ADDRESS:4f0c...>` stands in its place: the same for the same value, and no way back."""
    REVERSIBLE = "REVERSIBLE"
    """`<EMAIL_ADDRESS_1>` goes to the model, and the value is put back into the answer."""


class Options(RailOptions):
    """`litellm_params` of a row."""

    pii_entities_config: Mapping[str, Action] = Field(
        {}, description="What becomes of which entity. Empty: MASK for all that the engine knows without being asked."
    )
    output_parse_pii: bool = Field(False, description="Read MASK as REVERSIBLE in requests.")
    hash_key: Secret | None = Field(
        None, description="The key of HASH, 16 characters or more. Whoever has it can test guesses."
    )
    engine: Literal["builtin", "presidio"] = Field(
        "builtin",
        description="Which recognisers look: the built-in ones, or the pattern recognisers of an installed Presidio.",
    )
    presidio_score_thresholds: Mapping[str, Score] = Field(
        {}, description="The least score by entity, 0 to 1; ALL stands for those that are not named."
    )
    presidio_entities_deny_list: tuple[str, ...] = Field((), description="Entities that are left out.")
    presidio_phrase_allow_list: tuple[str, ...] = Field(
        (), description="Texts that are left alone when just they are found; case does not matter."
    )
    presidio_skip_system_developer_message: bool = Field(
        False, description="Leave messages of the roles system and developer alone."
    )
    presidio_filter_scope: Literal["input", "output", "both"] | None = Field(
        None, description="Adds the request or the answer to `mode`, or takes it away. Empty: `mode` alone says."
    )
    presidio_language: Literal["en"] = Field("en", description="Only en: patterns know no language.")
    mask_pii_fail_closed: Literal[True] = Field(True, description="Always true: a guard that fails refuses.")
    presidio_ad_hoc_recognizers: None = Field(None, description="Refused; write patterns in a content filter's row.")
    presidio_analyzer_api_base: None = Field(None, description="Refused; `engine` says who looks, in this process.")
    presidio_anonymizer_api_base: None = Field(None, description="Refused, as above.")

    @model_validator(mode="before")
    @classmethod
    def _scoped(cls, written: Any) -> Any:
        if not isinstance(written, Mapping):
            return written
        scope, mode = written.get("presidio_filter_scope"), written.get("mode")
        if scope not in ("input", "output", "both") or not isinstance(mode, str | list):
            return written
        modes = [mode] if isinstance(mode, str) else list(mode)
        looks = [name for name in modes if name != Mode.POST and (scope != "output" or name == Mode.LOGGING)]
        if scope != "output" and not set(looks) & {*_SENT, Mode.DURING, Mode.TOOL}:
            looks.append(Mode.PRE)
        if scope != "input" and Mode.LOGGING not in looks:
            looks.append(Mode.POST)
        return {**written, "mode": looks}

    @field_validator("presidio_ad_hoc_recognizers", mode="before")
    @classmethod
    def _no_ad_hoc(cls, written: Any) -> Any:
        if written is not None:
            raise ValueError("not supported: write the patterns in a row of `guardrail: litellm_content_filter`")
        return None

    @field_validator("presidio_analyzer_api_base", "presidio_anonymizer_api_base", mode="before")
    @classmethod
    def _no_service(cls, written: Any) -> Any:
        if written is not None:
            raise ValueError(
                "no Presidio service is called: leave it out, and set `engine: presidio` to run Presidio's pattern"
                " recognisers in this process"
            )
        return None

    @field_validator("presidio_language", mode="before")
    @classmethod
    def _english(cls, written: Any) -> Any:
        if written not in (None, "en"):
            raise ValueError("only `en`: the recognisers know patterns and no language, so leave it out")
        return "en"

    @field_validator("hash_key")
    @classmethod
    def _strong(cls, key: Secret | None) -> Secret | None:
        if key is not None and len(key.reveal()) < _SHORTEST_KEY:
            raise ValueError(f"shorter than {_SHORTEST_KEY} characters; make one with `openssl rand -hex 32`")
        return key

    @model_validator(mode="after")
    def _possible(self) -> Options:
        if self.engine == "presidio":
            _installed()
        else:
            _known("pii_entities_config", self.pii_entities_config, ENTITIES)
            _known("presidio_score_thresholds", self.presidio_score_thresholds, ENTITIES | {"ALL"})
        actions = set(self.pii_entities_config.values()) or {Action.MASK}
        if Action.HASH in actions and self.hash_key is None:
            raise ValueError("HASH needs `hash_key`, for instance os.environ/PII_HASH_KEY")
        if Mode.DURING in self.mode and actions - {Action.BLOCK}:
            raise ValueError(
                "`during_call` looks while the model already reads, so it can only BLOCK: name the entities in"
                " `pii_entities_config` with BLOCK, or write `mode: pre_call`"
            )
        if self.reversible and Mode.PRE not in self.mode:
            raise ValueError("REVERSIBLE and `output_parse_pii` replace in the request: add `pre_call` to `mode`")
        return self

    @property
    def reversible(self) -> bool:
        """Whether values are put back into answers."""
        return self.output_parse_pii or Action.REVERSIBLE in self.pii_entities_config.values()

    @property
    def actions(self) -> Mapping[str, Action]:
        """What becomes of which of the built-in entities."""
        return self.actions_among(ENTITIES, ENTITIES - BY_NAME_ONLY)

    def actions_among(self, known: frozenset[str], asked: frozenset[str] | None = None) -> Mapping[str, Action]:
        """What becomes of which of these entities; of those that are `asked` for where none is named.

        Raises `ValueError` for a name that is none of them.
        """
        _known("pii_entities_config", self.pii_entities_config, known)
        chosen = self.pii_entities_config or dict.fromkeys(known if asked is None else asked, Action.MASK)
        return {
            name: Action.REVERSIBLE if action is Action.MASK and self.output_parse_pii else action
            for name, action in chosen.items()
            if name not in self.presidio_entities_deny_list
        }


class Config(GuardConfig[Options]):
    """The guard's rows."""

    kinds = frozenset({"guard-pii", "presidio"})


def _known(place: str, names: Iterable[str], known: frozenset[str]) -> None:
    unknown = sorted(set(names) - known)
    if unknown:
        more = " `engine: presidio` knows more" if known >= ENTITIES and "US_PASSPORT" not in known else ""
        raise ValueError(
            f"{place}: no recogniser for {', '.join(unknown)}; there are those for {', '.join(sorted(known))}.{more}"
        )


def _installed() -> None:
    if find_spec("presidio_analyzer") is None or find_spec("spacy") is None:
        raise ValueError("`engine: presidio` needs Presidio: pip install 'routeiq-guard-pii[presidio]'")
