"""The parts of a row: words, expressions, categories, and the files that hold them.

The row itself is in `config`; what is done with them elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from routeiq_guard_content.expressions import compiled
from routeiq_guard_content.files import document, folder_of, parsed, shipped, shipped_names
from routeiq_guard_content.prebuilt import PREBUILT
from routeiq_guard_content.words import folded_word
from routeiq_sdk import PluginConfig


def _upper(written: Any) -> Any:
    return written.upper() if isinstance(written, str) else written


Action = Annotated[Literal["BLOCK", "MASK"], BeforeValidator(_upper)]
Severity = Literal["high", "medium", "low"]
SCORES = {"low": 1.0, "medium": 2.0, "high": 3.0}


class BlockedWord(PluginConfig):
    """One entry of `blocked_words`."""

    keyword: str = Field(min_length=1, max_length=1000, description="The word or phrase.")
    action: Action = Field("BLOCK", description="`BLOCK` refuses the text, `MASK` replaces the word.")
    description: str | None = Field(
        None, max_length=200, description="Why; a refused client reads it in place of `blocked_word`."
    )
    whole_word: bool | None = Field(
        None, description="Whether it must stand alone, or may be part of a longer word; unset, as `whole_words` says."
    )

    @model_validator(mode="after")
    def _something(self) -> BlockedWord:
        folded_word(self.keyword)
        return self


class WordFile(PluginConfig):
    """What `blocked_words_file` holds."""

    blocked_words: tuple[BlockedWord, ...] = Field(description="As in the row.")


class Pattern(PluginConfig):
    """One entry of `patterns`."""

    pattern_type: Literal["prebuilt", "regex"] = Field(
        description="`prebuilt` takes `pattern_name`, `regex` takes `pattern`."
    )
    pattern_name: str | None = Field(None, description="One of the expressions that come with the plugin.")
    pattern: str | None = Field(
        None,
        min_length=1,
        max_length=4000,
        description="An expression in RE2's syntax; it must not match the empty text.",
    )
    name: str | None = Field(
        None, max_length=100, description="What it finds is called so. Unset: `pattern_name`, or `pattern`."
    )
    action: Action = Field("BLOCK", description="`BLOCK` refuses the text, `MASK` replaces the match.")
    longest_match: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="The most characters of a match in a stream, of which so many are held; unset, `stream_window`.",
    )

    @property
    def label(self) -> str:
        """What it finds is called so."""
        return self.name or self.pattern_name or "pattern"

    @model_validator(mode="after")
    def _one_kind(self) -> Pattern:
        if self.pattern_type == "prebuilt":
            if self.pattern is not None or self.pattern_name is None:
                raise ValueError("a prebuilt pattern has a pattern_name and no pattern")
            if self.pattern_name not in PREBUILT:
                known = ", ".join(sorted(PREBUILT))
                raise ValueError(
                    f"no prebuilt pattern is called {self.pattern_name!r}; write one of {known}, or a regex of your own"
                )
        else:
            if self.pattern is None or self.pattern_name is not None:
                raise ValueError("a regex has a pattern and no pattern_name")
            if compiled(self.pattern).search("") is not None:
                raise ValueError("pattern matches the empty text, so it stands everywhere; let it match something")
        return self


class CategoryWord(PluginConfig):
    """One entry of `keywords` in a category's file."""

    keyword: str = Field(min_length=1, max_length=1000, description="The word.")
    severity: Severity = Field("medium", description="How grave it is.")
    score: float | None = Field(
        None, gt=0, description="What it adds to `score_threshold`; unset, low 1, medium 2, high 3."
    )

    @model_validator(mode="after")
    def _something(self) -> CategoryWord:
        folded_word(self.keyword)
        return self


class CategoryPhrase(PluginConfig):
    """One entry of `phrases` in a category's file."""

    phrase: str = Field(min_length=1, max_length=1000, description="The phrase.")
    severity: Severity = Field("medium", description="How grave it is.")
    score: float | None = Field(None, gt=0, description="As that of a keyword.")
    match_type: str = Field("exact", description="`exact`; LiteLLM's `fuzzy` and `proximity` are not served.")

    @model_validator(mode="after")
    def _exact(self) -> CategoryPhrase:
        folded_word(self.phrase)
        if self.match_type != "exact":
            raise ValueError(
                f"match_type {self.match_type!r} is not served; write each wording as a phrase, or a regex in patterns"
            )
        return self


class CategoryFile(PluginConfig):
    """What a category's file holds. Its words stand alone, in any case and spelling that folds to the same."""

    category_name: str | None = Field(None, description="Kept, not used.")
    description: str | None = Field(None, description="Kept, not used.")
    default_action: Action = Field("BLOCK", description="What is done where the row says nothing.")
    keywords: tuple[CategoryWord, ...] = Field((), description="Words.")
    phrases: tuple[CategoryPhrase, ...] = Field((), description="Phrases.")
    exceptions: tuple[str, ...] = Field((), description="Phrases in which a word is not counted.")


class Category(PluginConfig):
    """One entry of `categories`."""

    category: str = Field(min_length=1, max_length=100, description="The category; findings are called so.")
    enabled: bool = Field(True, description="Whether it is looked for.")
    action: Action | None = Field(None, description="`BLOCK` or `MASK`; unset, what the file says.")
    severity_threshold: Severity | None = Field(
        None, description="Words that are less grave are not looked for; unset, as the row's."
    )
    score_threshold: float | None = Field(
        None,
        gt=0,
        description="With it, the scores of different words in one text are added, and the text is refused when their "
        "sum reaches it. Without it each word counts for itself.",
    )
    category_file: str | None = Field(
        None, description="A file with the words, in place of those that come with the plugin."
    )
    contents: CategoryFile | None = Field(
        None, exclude=True, repr=False, description="Not written: what the file holds."
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, written: Any, info: ValidationInfo) -> Any:
        if not isinstance(written, dict) or written.get("enabled") is False:
            return written
        if "contents" in written:
            raise ValueError("contents is read from category_file; write that")
        name, file = written.get("category"), written.get("category_file")
        if isinstance(file, str):
            held = document(file, folder_of(info))
        elif isinstance(name, str):
            held = shipped(name)
            if held is None:
                known = ", ".join(shipped_names())
                raise ValueError(
                    f"no category {name!r} comes with the plugin ({known}); name its words in a category_file"
                )
        else:
            return written
        return {**written, "contents": parsed(CategoryFile, held, str(file or name))}

    @model_validator(mode="after")
    def _can_mask(self) -> Category:
        if self.score_threshold is not None and self.acting == "MASK":
            raise ValueError("a sum of scores can only refuse; write action: BLOCK, or no score_threshold")
        return self

    @property
    def acting(self) -> str:
        """What is done."""
        return self.action or (self.contents.default_action if self.contents is not None else "BLOCK")
