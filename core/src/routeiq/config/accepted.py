"""`routeiq.compat.accept_unenforced`: the operator's own word that a protective key may go unenforced.

It only sorts what `classify` found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from routeiq.config.errors import nearest
from routeiq.config.notices import Notice, ProtectiveKey, notice_at
from routeiq.config.position import KeyPath, Positions

_ENTRY: KeyPath = ("routeiq", "compat", "accept_unenforced")


def sort_accepted(
    found: Iterable[ProtectiveKey], accepted: Sequence[str], positions: Positions
) -> tuple[tuple[ProtectiveKey, ...], tuple[Notice, ...]]:
    """The keys that still need a plugin, and notices on those that were accepted and on entries that match nothing.

    An entry is a key's path as an error prints it (`model_list[0].litellm_params.max_budget`), the same without
    row numbers (`model_list[].litellm_params.max_budget`), or a prefix of it (`guardrails`).
    """
    waiting: list[ProtectiveKey] = []
    notices: list[Notice] = []
    used: set[str] = set()
    candidates: set[str] = set()
    for key in found:
        names = _names(key.path)
        candidates |= names
        matching = names.intersection(accepted)
        used |= matching
        if matching:
            message = f"accepted unenforced unless the plugin {key.needs_plugin} is loaded"
            notices.append(Notice("info", key.path, message, key.file, key.line))
        else:
            waiting.append(key)
    for number, entry in enumerate(accepted):
        if entry not in used:
            hint = nearest(entry, candidates)
            message = f"{entry!r} matches no protective key of this file" + (f"; {hint!r}?" if hint else "")
            notices.append(notice_at(positions, "warning", (*_ENTRY, number), message))
    return tuple(waiting), tuple(notices)


def _names(path: str) -> set[str]:
    steps = [match.end() for match in re.finditer(r"[^.\[\]]+(\[\d+\])?|\[\d+\]", path)]
    prefixes = {path[:end] for end in steps} | {re.sub(r"\[\d+\]$", "", path[:end]) for end in steps}
    return prefixes | {re.sub(r"\[\d+\]", "[]", prefix) for prefix in prefixes}
