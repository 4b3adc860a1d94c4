"""Sealed objects to hand over, and a gateway handle whose egress really calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_audit.chain import Head, chained
from routeiq_audit.making import make_sealed
from routeiq_audit.sealed import Sealed
from routeiq_sdk.testing import FakeGateway

from .parts import SIGNER, STREAM, entry

CREATED = "2026-01-02T03:04:05.000Z"


def sealed_objects(count: int, events: int = 3) -> list[Sealed]:
    """Objects of one chain."""
    head, made = Head(), []
    for number in range(count):
        entries = [entry(number * events + place + 1) for place in range(events)]
        sealed, head = make_sealed(STREAM, "ALL", chained(STREAM, head, entries), CREATED, SIGNER)
        made.append(sealed)
    return made


@asynccontextmanager
async def calling(*origins: str) -> AsyncIterator[FakeGateway]:
    """A handle whose egress is the gateway's own, with these origins as the operator's."""
    egress = Egress(EgressPolicy.compile(origins, ()))
    await egress.open()
    gateway = FakeGateway("audit")
    gateway.egress = PluginEgress(egress)  # type: ignore[assignment]
    try:
        yield gateway
    finally:
        await egress.close()
        await gateway.aclose()
