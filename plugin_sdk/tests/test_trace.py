"""W3C Trace Context: which headers begin a span below the caller's, and which begin a new trace."""

from __future__ import annotations

import re

import pytest

from routeiq_sdk import TraceContext
from routeiq_sdk.testing import make_context

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True), ("02", False)])
def test_a_valid_header_is_the_parent(flags: str, sampled: bool) -> None:
    trace = TraceContext.begin(f"00-{TRACE}-{PARENT}-{flags}", " vendor=1 ")
    assert (trace.trace_id, trace.parent_span_id, trace.sampled, trace.state) == (TRACE, PARENT, sampled, "vendor=1")
    assert trace.span_id not in (PARENT, "0" * 16)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01\n00-{TRACE}-{PARENT}-01",
    ],
)
def test_anything_else_begins_a_new_trace(header: str | None) -> None:
    trace = TraceContext.begin(header, "vendor=1")
    assert trace.trace_id != TRACE
    assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
    assert (trace.parent_span_id, trace.sampled, trace.state) == (None, None, "")


def test_a_later_version_may_say_more() -> None:
    assert TraceContext.begin(f"01-{TRACE}-{PARENT}-01-more").trace_id == TRACE


def test_what_goes_on_names_the_span_that_calls() -> None:
    trace = TraceContext.begin(f"00-{TRACE}-{PARENT}-01")
    assert trace.traceparent() == f"00-{TRACE}-{trace.span_id}-01"
    assert trace.traceparent("a" * 16, sampled=False) == f"00-{TRACE}-{'a' * 16}-00"
    child = trace.child()
    assert (child.trace_id, child.parent_span_id, child.sampled) == (TRACE, trace.span_id, True)


def test_a_context_has_one_trace() -> None:
    ctx = make_context(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert ctx.trace is ctx.trace
    assert ctx.trace.trace_id == TRACE
