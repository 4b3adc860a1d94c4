"""Sealed objects to hand over, and a gateway handle whose egress really calls."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_audit.canonical import canonical
from routeiq_audit.chain import Head, chained
from routeiq_audit.entry import Entry
from routeiq_audit.making import make_sealed
from routeiq_audit.sealed import Sealed
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.testing.services import FakeClock

from .parts import SIGNER, STREAM, entry

CREATED = "2026-01-02T03:04:05.000Z"


def sealed_objects(count: int, events: int = 3, tenant: str = "ALL") -> list[Sealed]:
    """Objects of one chain."""
    head, made = Head(), []
    for number in range(count):
        entries = [entry(number * events + place + 1) for place in range(events)]
        sealed, head = make_sealed(STREAM, tenant, chained(STREAM, head, entries), CREATED, SIGNER)
        made.append(sealed)
    return made


def sealed_events(*texts: str) -> Sealed:
    """One object of events with these texts."""
    entries = [
        Entry("other", "routeiq.test.v1", CREATED, f"event-{number}", "ALL", canonical({"text": text}))
        for number, text in enumerate(texts, start=1)
    ]
    sealed, _ = make_sealed(STREAM, "ALL", chained(STREAM, Head(), entries), CREATED, SIGNER)
    return sealed


@asynccontextmanager
async def calling(*origins: str) -> AsyncIterator[FakeGateway]:
    """A handle whose egress is the gateway's own, with these origins as the operator's, at today's time."""
    egress = Egress(EgressPolicy.compile(origins, ()))
    await egress.open()
    gateway = FakeGateway("audit")
    gateway.clock = FakeClock(time.time_ns())
    gateway.egress = PluginEgress(egress)  # type: ignore[assignment]
    try:
        yield gateway
    finally:
        await egress.close()
        await gateway.aclose()
