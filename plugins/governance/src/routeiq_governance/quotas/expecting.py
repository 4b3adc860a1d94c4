"""How much output models usually write for a caller: what adaptive admission holds instead of the worst case.

It learns from finished calls of this process alone, and forgets the least used first.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from routeiq_governance.identity.caller import Caller

_MOST = 5_000
_SAMPLES = 64
_FEW = 8
_UNKNOWN = 1024


class Expectation:
    """The 95th percentile of the newest 64 answers, by caller and model."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    def learn(self, caller: Caller, model: str, tokens: int) -> None:
        """A call wrote this much."""
        name = (_who(caller), model)
        samples = self._seen.setdefault(name, deque(maxlen=_SAMPLES))
        samples.append(tokens)
        self._seen.move_to_end(name)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)

    def output(self, caller: Caller, model: str, most: int) -> int:
        """Output tokens to expect, at most `most`."""
        samples = self._seen.get((_who(caller), model))
        if samples is None or len(samples) < _FEW:
            return min(most, _UNKNOWN)
        ordered = sorted(samples)
        return min(most, ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)])


def _who(caller: Caller) -> str:
    return caller.key_id or caller.user or ""
