"""Recognises what a question is about, by cues of our own choosing.
It serves the simulated models alone; no router learns from it or calls it.
"""

from __future__ import annotations

import re

# A cue that names the task outweighs words that merely occur in the text to be worked on.
_TASK, _HINT = 5, 2

_CUES: tuple[tuple[str, int, str], ...] = (
    (
        "translation",
        _TASK,
        r"\btranslat\w+|\bhow (?:do|would) (?:you|i) say\b|\bin(?:to)? (?:plain )?(?:french|german|spanish"
        r"|italian|portuguese|dutch|polish|japanese|turkish|swedish)\b",
    ),
    (
        "extraction",
        _TASK,
        r"\bextract\b|\bpull out\b|\blist (?:every|all)\b.*\bfrom\b|\bfrom (?:this|the following)\b"
        r"|\breturn (?:them|it) as json\b|\bwhich (?:dates|names|amounts)\b.*\bappear\b",
    ),
    (
        "writing",
        _TASK,
        r"\bwrite (?:a|an|me)\b(?! (?:\w+ )?(?:function|class|query|script|test|program|method|regex\w*))"
        r"|\bdraft\b|\brewrite\b|\bcompose\b|\bslogan\b",
    ),
    ("code", _TASK, r"\b(?:python|javascript|typescript|rust|golang|java|sql|bash|regex\w*|dockerfile)\b"),
    (
        "code",
        _HINT,
        r"\b(?:function|class|bug|compile\w*|stack trace|unit test|refactor|recursion|thread|query|code|git"
        r"|exception|async\w*|linked list|method)\b",
    ),
    (
        "reasoning",
        _TASK,
        r"\bprove\b|\bsolve\b|\bhow many\b|\bprobability\b|\bwhat is \d+|\briddle\b|\bpuzzle\b"
        r"|\bhow long (?:does|will|until)\b|\bif all\b|\bpercent\w*|\bwho is (?:older|taller|faster)\b",
    ),
    ("reasoning", _HINT, r"\b(?:integer|equation|sum|average|prime|divisible|triangle|km/h|follows|step by step)\b"),
    (
        "smalltalk",
        _HINT + 1,
        r"^(?:hi|hello|hey|good (?:morning|evening|afternoon))\b|\bhow are you\b|\bcheer me up\b"
        r"|\btell me (?:a joke|something nice)\b|\bthank(?:s| you)\b|\byour (?:favou?rite|day|weekend)\b",
    ),
)
_COMPILED = tuple((topic, weight, re.compile(cue, re.IGNORECASE | re.DOTALL)) for topic, weight, cue in _CUES)

TOPICS: tuple[str, ...] = ("code", "reasoning", "writing", "translation", "extraction", "smalltalk", "general")


def recognise(question: str) -> str:
    """The topic with the strongest cues; "general" if there is none."""
    scores: dict[str, int] = {}
    for topic, weight, cue in _COMPILED:
        found = len({match.lower() for match in cue.findall(question)})
        if found:
            scores[topic] = scores.get(topic, 0) + weight + min(found, 3) - 1
    return max(scores, key=lambda topic: scores[topic]) if scores else "general"
