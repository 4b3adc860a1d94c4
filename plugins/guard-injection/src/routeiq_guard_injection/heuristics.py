"""Searches texts for the phrases of prompt injection. What a hit leads to is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import NamedTuple

from routeiq_guard_injection.phrases import ENCODED, ENGLISH, FAIR, HIDDEN, STRONG, WEAK, Phrase
from routeiq_guard_injection.phrases_world import OTHERS
from routeiq_guard_injection.reading import SLICE, Reading, Stems, pieces
from routeiq_guard_injection.views import Decoded

_REST = r"[^.!?\n]{0,60}?"
_PARTED = r"[^\w.!?]{1,4}"
_GLUED = re.compile(
    r"(?:ignore|disregard|forget|bypass|override|overlook)\w{0,12}?(?:previous|prior|above|all|your|system|the|every)"
    r"\w{0,20}?(?:instruction|prompt|rule|guideline|directive|restriction)"
    r"|(?:reveal|show|print|repeat|output|tellme|giveme|display|leak)\w{0,16}?(?:system|initial|hidden|your|secret)"
    r"\w{0,12}?(?:prompt|instruction|message|rules)|doanythingnow|jailbreakmode|developermode(?:enabled|on)"
)
_QUOTES = {'"': '"', "“": "”", "”": "”", "„": "”“", "«": "»", "»": "«", "`": "`", "「": "」", "『": "』", "‘": "’"}
_QUOTED_WITHIN = 60
"""Characters between a quotation mark and what it quotes."""
_ABOUT = re.compile(
    r"\b(?:prompt.?injections?|jailbreaks?|phishing|attack(?:s|er|ers)?|adversarial|malicious|red.?team\w*|guardrails?|"
    r"what (?:does|do|is|are)|why (?:does|do|is|are)|how (?:does|do|would|can|should)|explain|example|examples|"
    r"such as|e\.g|phrases? like|strings? like|things like|messages? like|detect\w*|classif\w+|regex|filter|test|"
    r"translat\w*|ubersetz\w*|tradu\w+|meaning|means|say|says|said|wrote|sentence|quote|grammar|"
    r"beispiel|bedeutet|angriff|par exemple|"
    r"signifie|attaque|significa|ejemplo|ataque|esempio|attacco|например|означает|атак\w*)\b|перевед\w*|翻译|翻訳|번역|例如|什么意思|攻击|攻撃|例えば"
)
_SHORTEST_HIDDEN = 12


class Hit(NamedTuple):
    """A phrase that was found, and what it is worth (0 to 1)."""

    label: str
    score: float


class _Compiled(NamedTuple):
    label: str
    score: float
    needs: tuple[frozenset[str], ...]
    find: re.Pattern[str]


def search(reading: Reading, *, quoted: bool) -> list[Hit]:
    """What a piece says. `quoted` takes a phrase that somebody quotes and speaks about for less."""
    view = reading.view
    present = _STEMS.within(view, reading.codes)
    found: list[Hit] = []
    for phrase in _PHRASES:
        near = -1
        for words in phrase.needs:
            slices = 0
            for word in words & present.keys():
                slices |= present[word]
            near &= slices << 1 | slices | slices >> 1
            if not near:
                break
        else:
            match = _first(phrase.find, view, near)
            if match is not None:
                is_mention = quoted and _is_quoted(view, match.span())
                found.append(Hit(phrase.label, WEAK if is_mention else phrase.score))
    return found


def _first(pattern: re.Pattern[str], view: str, slices: int) -> re.Match[str] | None:
    """The first match that begins in one of the slices or beside it."""
    at = 0
    while slices >> at:
        if slices >> at & 1:
            end = at
            while slices >> end & 1:
                end += 1
            match = pattern.search(view, max(0, (at - 1) * SLICE), (end + 1) * SLICE)
            if match is not None:
                return match
            at = end
        at += 1
    return None


def search_code(code: Decoded, known: Set[str]) -> Hit | None:
    """What stood encoded; `known` are the kinds of what the same text says openly."""
    if code.how == "tags" and len(code.text) >= _SHORTEST_HIDDEN:
        return Hit(HIDDEN, STRONG)
    if code.glued:
        return Hit(ENCODED, STRONG) if _GLUED.search(code.text) else None
    for piece in pieces(code.text):
        hits = search(Reading(piece), quoted=False)
        if any(hit.score >= FAIR and hit.label not in known for hit in hits):
            return Hit(ENCODED, STRONG)
    return None


def _is_quoted(view: str, span: tuple[int, int]) -> bool:
    """Whether a phrase stands in quotation marks in a text that speaks about such phrases."""
    before = view[max(0, span[0] - _QUOTED_WITHIN) : span[0]]
    after = view[span[1] : span[1] + _QUOTED_WITHIN]
    opened = [sign for sign in before.rpartition("\n")[2] if sign in _QUOTES]
    closed = after.partition("\n")[0]
    if not opened or not any(sign in closed for sign in _QUOTES[opened[-1]]):
        return False
    around = view[max(0, span[0] - 400) : span[0]] + " " + view[span[1] : span[1] + 400]
    return _ABOUT.search(around) is not None


def _compiled(phrases: Sequence[Phrase]) -> tuple[_Compiled, ...]:
    made = []
    for phrase in phrases:
        pattern = re.sub(r"\\w([+*])", _bounded, phrase.pattern)
        pattern = pattern.replace("~", _REST).replace(" ?", f"(?:{_PARTED})?").replace(" ", _PARTED)
        needs = tuple(frozenset(words) for words in phrase.needs)
        made.append(_Compiled(phrase.label, phrase.score, needs, re.compile(pattern)))
    return tuple(made)


def _bounded(found: re.Match[str]) -> str:
    """A word has an end, or searching would not be linear."""
    return r"\w{1,24}" if found[1] == "+" else r"\w{0,24}"


_PHRASES = _compiled((*ENGLISH, *OTHERS))
_STEMS = Stems(word for phrase in _PHRASES for words in phrase.needs for word in words)
