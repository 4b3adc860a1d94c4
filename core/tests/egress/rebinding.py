"""A name server of one's own on loopback that changes its mind, and a real stub resolver that asks it each time.

Its answers live 0 seconds, so that nothing between here and the egress remembers them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset

from routeiq.egress import Lookup

Zone = Callable[[str, str], Sequence[tuple[str, str, str]]]
"""Takes a name and a type (`A` or `AAAA`); returns the records of its answer as owner, type and value."""


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP what `zone` says; `asked` are the questions in their order."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport

    async def start(self) -> None:
        made = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = made[0]
        self.port = self._transport.get_extra_info("sockname")[1]

    def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        for owner, record, value in self.zone(name, kind):
            response.answer.append(dns.rrset.from_text(f"{owner}.", 0, "IN", record, value))
        self._transport.sendto(response.to_wire(), addr)

    @property
    def lookup(self) -> Lookup:
        """What an egress is given: dnspython's resolver, without a cache, that asks this server alone."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        resolver.cache = None
        resolver.lifetime = 5.0

        async def look_up(host: str, port: int) -> list[str]:
            found: list[str] = []
            for kind in ("A", "AAAA"):
                try:
                    answer = await resolver.resolve(host, kind, search=False)
                except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
                    continue
                found += [record.address for record in answer]
            return found

        return look_up
