"""What the YAML may say under `routeiq.plugins.routing-rules`, and the checks that can be made at start.

Whether a rule holds for a question is decided in `conditions`.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from routeiq_sdk import PluginConfig

Name = Annotated[str, StringConstraints(min_length=1)]
Word = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Conditions(PluginConfig):
    """What must be true of the newest text of the user. All conditions that are written must hold."""

    any_words: tuple[Word, ...] | None = Field(
        None, min_length=1, description="Words or phrases of which one occurs, whole and in any case."
    )
    pattern: str | None = Field(
        None, description="A Python regular expression that is found; begin it with (?i) to ignore case."
    )
    longer_than: int | None = Field(None, ge=0, description="The text has more characters than this.")
    shorter_than: int | None = Field(None, ge=1, description="The text has fewer characters than this.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _says_something(self) -> Conditions:
        if not self.model_dump(exclude_none=True):
            raise ValueError("a rule without a condition; for the rest of the questions write `default`")
        longer, shorter = self.longer_than, self.shorter_than
        if longer is not None and shorter is not None and longer + 1 >= shorter:
            raise ValueError(f"no text is longer than {longer} and shorter than {shorter}")
        return self


class Rule(PluginConfig):
    """One rule: if `when` holds, `model` comes first."""

    when: Conditions = Field(description="Conditions on the newest text of the user.")
    model: Name = Field(description="The model group to choose.")
    reason: str = Field("", description="Why, in words for the decision record; else the conditions are told.")


class RulesConfig(PluginConfig):
    """Rules in the order in which they are tried."""

    rules: tuple[Rule, ...] = Field((), description="The first rule that holds chooses.")
    default: Name | None = Field(
        None, description="The model group when no rule holds; without it the next strategy is asked."
    )

    @model_validator(mode="after")
    def _chooses_something(self) -> RulesConfig:
        if not self.rules and self.default is None:
            raise ValueError("neither rules nor default: there is nothing to choose by")
        return self
