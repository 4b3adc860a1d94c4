"""The rows of `guardrails:` that this guard serves, and their options.

What the options become is made in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from routeiq_guard_content.files import document, folder_of, lines, parsed
from routeiq_guard_content.options import BlockedWord, Category, Pattern, Severity, WordFile
from routeiq_guard_content.rules import Rules
from routeiq_guard_content.schemas import Schema
from routeiq_guard_content.words import folded_word
from routeiq_sdk import FromLitellm
from routeiq_sdk.guards import GuardConfig, Mode, RailOptions

CALLBACK = "banned_keywords"
CODE = "block_code_execution"
_UNSERVED = {
    "image_model": "images are not looked into; a guard of guard-external can judge them",
    "competitor_intent_config": "write the competitors as blocked_words",
    "detect_execution_intent": "requests to run code are not told apart; name their wording in blocked_words",
}
_REQUEST_MODES = frozenset({Mode.PRE, Mode.DURING, Mode.LOGGING})
_ANSWER_MODES = frozenset({Mode.POST, Mode.LOGGING})


def _lower(written: Any) -> Any:
    return written.lower() if isinstance(written, str) else written


class Options(RailOptions):
    """`litellm_params` of a row."""

    blocked_words: tuple[BlockedWord, ...] = Field((), description="Words and phrases, each with what is done.")
    blocked_words_file: str | None = Field(None, description="A YAML file with more `blocked_words`.")
    whole_words: bool = Field(
        False, description="Whether `blocked_words` must stand alone. Without it they are found in longer words, too."
    )
    patterns: tuple[Pattern, ...] = Field((), description="Expressions, prebuilt or your own, each with what is done.")
    categories: tuple[Category, ...] = Field((), description="Lists of words on one subject.")
    severity_threshold: Severity = Field("medium", description="That of categories that have none of their own.")
    keyword_redaction_tag: str = Field(
        "[KEYWORD_REDACTED]", min_length=1, max_length=100, description="What is written in place of a masked word."
    )
    pattern_redaction_format: str = Field(
        "[{pattern_name}_REDACTED]",
        max_length=100,
        description="What is written in place of a masked match; `{pattern_name}` stands for its name in capitals.",
    )
    stream_window: int = Field(
        256,
        ge=16,
        le=4096,
        description="Characters of a stream that are held for expressions of your own. A longer match may be missed.",
    )
    blocked_languages: tuple[str, ...] | None = Field(
        None,
        description="Languages of fenced blocks of code that are looked for; an empty list means all. Unset, none are, "
        "and all with `guardrail: block_code_execution`.",
    )
    action: Annotated[Literal["block", "mask"], BeforeValidator(_lower)] = Field(
        "block", description="What is done with a block of code."
    )
    confidence_threshold: float = Field(
        0.7, ge=0, le=1, description="At 0.5 or less, blocks that name no language are looked for, too."
    )
    json_schema: Mapping[str, Any] | str | None = Field(
        None, description="A JSON schema, or a file with one, that whole answers must be valid under."
    )
    max_request_chars: int | None = Field(None, ge=1, description="The most characters of all texts of a request.")
    max_answer_chars: int | None = Field(None, ge=1, description="The most characters of a text of an answer.")
    max_messages: int | None = Field(None, ge=1, description="The most messages of a request.")
    max_tools: int | None = Field(None, ge=0, description="The most tools of a request.")
    _rules: Rules = PrivateAttr()

    @property
    def rules(self) -> Rules:
        """What the options become."""
        return self._rules

    @model_validator(mode="before")
    @classmethod
    def _served(cls, written: Any) -> Any:
        for name, mend in _UNSERVED.items():
            if isinstance(written, Mapping) and written.get(name) not in (None, False):
                raise ValueError(f"{name} is not served; {mend}")
        return (
            {name: value for name, value in written.items() if name not in _UNSERVED}
            if isinstance(written, Mapping)
            else written
        )

    @field_validator("pattern_redaction_format")
    @classmethod
    def _named(cls, written: str) -> str:
        if "{pattern_name}" not in written:
            raise ValueError("it holds no {pattern_name}; write it where the name goes")
        return written

    @field_validator("blocked_words_file")
    @classmethod
    def _words(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None:
            parsed(WordFile, document(name, folder_of(info)), name)
        return name

    @field_validator("json_schema")
    @classmethod
    def _schema(cls, written: Mapping[str, Any] | str | None, info: ValidationInfo) -> Mapping[str, Any] | None:
        if written is None:
            return None
        schema = document(written, folder_of(info)) if isinstance(written, str) else written
        Schema(schema)
        return dict(schema)

    @model_validator(mode="after")
    def _works(self, info: ValidationInfo) -> Options:
        modes = frozenset(self.mode)
        words = self.blocked_words
        if self.blocked_words_file is not None:
            name = self.blocked_words_file
            words += parsed(WordFile, document(name, folder_of(info)), name).blocked_words
        masks = [each.keyword for each in words if each.action == "MASK"]
        masks += [each.label for each in self.patterns if each.action == "MASK"]
        masks += [each.category for each in self.categories if each.enabled and each.acting == "MASK"]
        masks += ["blocks of code"] if self._languages() is not None and self.action == "mask" else []
        if masks and Mode.DURING in modes:
            raise ValueError(
                "during_call can change nothing, so nothing can be masked; write BLOCK, or pre_call or post_call"
            )
        if (self.json_schema is not None or self.max_answer_chars is not None) and not modes & _ANSWER_MODES:
            raise ValueError("json_schema and max_answer_chars look at answers; add post_call to mode")
        sizes = (self.max_request_chars, self.max_messages, self.max_tools)
        if any(size is not None for size in sizes) and not modes & _REQUEST_MODES:
            raise ValueError("max_request_chars, max_messages and max_tools look at requests; add pre_call to mode")
        self._rules = Rules(self, words, self._languages())
        if not self._rules.looks and self.guardrail != CALLBACK:
            raise ValueError("it looks for nothing; add blocked_words, patterns, categories, json_schema or a size")
        return self

    def _languages(self) -> frozenset[str] | None:
        if self.blocked_languages is None:
            return frozenset() if self.guardrail == CODE else None
        return frozenset(self.blocked_languages)


class Config(GuardConfig[Options]):
    """The guard's rows, and LiteLLM's older way to ban words."""

    kinds = frozenset({"guard-content", "litellm_content_filter", CALLBACK, CODE})

    callbacks: Annotated[tuple[str, ...], FromLitellm("litellm_settings.callbacks")] = Field(
        (), description="`banned_keywords` among them looks at all requests and answers."
    )
    banned_keywords_list: Annotated[tuple[str, ...], FromLitellm("litellm_settings.banned_keywords_list")] = Field(
        (), description="The words that `banned_keywords` refuses: a list, or a file with one on each line."
    )

    @field_validator("callbacks", mode="before")
    @classmethod
    def _names(cls, written: Any) -> Any:
        listed = [written] if isinstance(written, str) else written
        return [name for name in listed if name == CALLBACK] if isinstance(listed, list | tuple) else listed

    @field_validator("banned_keywords_list", mode="before")
    @classmethod
    def _listed(cls, written: Any, info: ValidationInfo) -> Any:
        return lines(written, folder_of(info)) if isinstance(written, str) else written

    @field_validator("banned_keywords_list")
    @classmethod
    def _words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            folded_word(word)
        return words

    @model_validator(mode="after")
    def _both(self) -> Config:
        rows = [row for row in self.guardrails if row is not None and row.litellm_params.guardrail == CALLBACK]
        asked = bool(self.callbacks or rows)
        if self.banned_keywords_list and not asked:
            raise ValueError(
                "banned_keywords_list is looked for by nobody; add banned_keywords to litellm_settings.callbacks"
            )
        lacking = bool(self.callbacks) or any(not row.litellm_params.rules.looks for row in rows)
        if lacking and not self.banned_keywords_list:
            raise ValueError("banned_keywords has no words; write litellm_settings.banned_keywords_list")
        return self
