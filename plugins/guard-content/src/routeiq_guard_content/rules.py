"""What the options of a row become: lookers for its texts, a schema, sizes.

Options are read and checked in `config`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from routeiq_guard_content.expressions import Expression, Expressions
from routeiq_guard_content.fences import LABEL as CODE_LABEL
from routeiq_guard_content.fences import Fences, language
from routeiq_guard_content.options import SCORES, BlockedWord, Category, CategoryFile, Pattern
from routeiq_guard_content.prebuilt import PREBUILT
from routeiq_guard_content.schemas import Schema
from routeiq_guard_content.spans import Groups, Looker
from routeiq_guard_content.words import MOST, Meaning, Words
from routeiq_sdk.guards import Finding

if TYPE_CHECKING:
    from routeiq_guard_content.config import Options

WORD_LABEL = "blocked_word"
_UNTAGGED = 0.5
"""How sure it is that a block which names no language holds code."""
_RANKS = {"low": 0, "medium": 1, "high": 2}


class Rules:
    """The rules of one row; they keep nothing of the texts they judge. Raises `ValueError` for what cannot work."""

    def __init__(
        self,
        options: Options,
        words: Sequence[BlockedWord],
        languages: frozenset[str] | None,
        banned: Sequence[str] = (),
    ) -> None:
        self.words = words
        self.languages = languages
        self.lookers = tuple(_lookers(options, words, languages, banned))
        self.schema = Schema(options.json_schema) if options.json_schema is not None else None
        self.max_request_chars = options.max_request_chars
        self.max_answer_chars = options.max_answer_chars
        self.max_messages = options.max_messages
        self.max_tools = options.max_tools

    @property
    def looks(self) -> bool:
        """Whether there is anything to look for."""
        sizes = (self.max_request_chars, self.max_answer_chars, self.max_messages, self.max_tools)
        return bool(self.lookers) or self.schema is not None or any(size is not None for size in sizes)

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """What stands in a text; findings that overlap are one."""
        found = [looker.whole(text) for looker in self.lookers]
        if any(span.replacement is None for spans in found for span in spans):
            return [Finding(each.start, each.end, each.label, each.replacement) for spans in found for each in spans]
        groups = Groups()
        for order, spans in enumerate(found):
            groups.add(order, spans)
        return list(groups.until(len(text) + 1))

    def settled(self, text: str) -> int:
        """Streams have filters of their own here; whoever asks nevertheless must wait for the end."""
        return 0


def _lookers(
    options: Options, words: Sequence[BlockedWord], languages: frozenset[str] | None, banned: Sequence[str]
) -> Iterator[Looker]:
    tag = options.keyword_redaction_tag
    meant = [(word, Meaning(WORD_LABEL, None)) for word in banned]
    for each in words:
        whole = options.whole_words if each.whole_word is None else each.whole_word
        meant.append(
            (each.keyword, Meaning(each.description or WORD_LABEL, tag if each.action == "MASK" else None, whole))
        )
    for topic, category in enumerate(options.categories):
        if category.enabled and category.contents is not None:
            meant += _category(topic, category, category.contents, options)
    if len(meant) > MOST:
        raise ValueError(f"a row has at most {MOST} words; share them among several rows")
    if any(not meaning.excuse for _, meaning in meant):
        yield Words(meant)
    if options.patterns:
        yield Expressions([_expression(pattern, options) for pattern in options.patterns])
    if languages is not None:
        untagged = options.confidence_threshold <= _UNTAGGED
        replacement = options.pattern_redaction_format.replace("{pattern_name}", CODE_LABEL.upper())
        names = frozenset(language(name) for name in languages)
        yield Fences(names, untagged or not names, replacement if options.action == "mask" else None)


def _category(
    topic: int, category: Category, contents: CategoryFile, options: Options
) -> Iterator[tuple[str, Meaning]]:
    least = _RANKS[category.severity_threshold or options.severity_threshold]
    replacement = options.keyword_redaction_tag if category.acting == "MASK" else None
    threshold = category.score_threshold or 0.0
    entries = [(each.keyword, each) for each in contents.keywords] + [(each.phrase, each) for each in contents.phrases]
    for word, each in entries:
        if _RANKS[each.severity] >= least:
            score = each.score if each.score is not None else SCORES[each.severity]
            yield word, Meaning(category.category, replacement, True, topic, score, threshold)
    for word in contents.exceptions:
        yield word, Meaning(category.category, replacement, True, topic, excuse=True)


def _expression(pattern: Pattern, options: Options) -> Expression:
    name = pattern.label.upper()
    replacement = options.pattern_redaction_format.replace("{pattern_name}", name) if pattern.action == "MASK" else None
    if pattern.pattern_name is not None:
        known = PREBUILT[pattern.pattern_name]
        shape = (known.longest, known.solid, known.accept, known.again)
        return Expression(pattern.label, known.pattern, replacement, *shape)
    return Expression(pattern.label, pattern.pattern or "", replacement, pattern.longest_match or options.stream_window)
