"""Where a request stands in a distributed trace, as W3C Trace Context has it.

Spans and their export are a telemetry plugin's business.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The request's own span in its trace: ids in lower-case hex (32 and 16 digits).

    `parent_span_id` is the caller's span, `None` when the trace begins here. `sampled` is the caller's wish, `None`
    when it told none. `state` is the caller's `tracestate`, to be handed on as it came.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    sampled: bool | None = None
    state: str = ""

    @classmethod
    def begin(cls, traceparent: str | None, tracestate: str | None = None) -> TraceContext:
        """A span below the one that `traceparent` names, or a new trace without a (valid) one.

        Source: W3C Trace Context, level 2, section 3.2.
        """
        match = _PARENT.match(traceparent.strip()) if traceparent else None
        if match is None or not _valid(match):
            return cls(f"{random.getrandbits(128) or 1:032x}", new_span_id())
        sampled = bool(int(match[4], 16) & _SAMPLED)
        return cls(match[2], new_span_id(), match[3], sampled, (tracestate or "").strip())

    def child(self) -> TraceContext:
        """A span below this one."""
        return TraceContext(self.trace_id, new_span_id(), self.span_id, self.sampled, self.state)

    def traceparent(self, span_id: str | None = None, *, sampled: bool = True) -> str:
        """The header that makes `span_id` (else this span) the parent of the next hop's."""
        return f"00-{self.trace_id}-{span_id or self.span_id}-{'01' if sampled else '00'}"


def new_span_id() -> str:
    """A random span id: 16 hex digits, never all zero."""
    return f"{random.getrandbits(64) or 1:016x}"


def _valid(match: re.Match[str]) -> bool:
    version, trace_id, span_id, _, more = match.groups()
    return version != "ff" and not (version == "00" and more) and trace_id.strip("0") != "" and span_id.strip("0") != ""
