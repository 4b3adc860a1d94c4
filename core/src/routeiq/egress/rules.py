"""One entry of an egress list: a host or a network, as written in the YAML.

What an entry opens or narrows is said by `policy` and `tenants`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?", re.ASCII)
_ENTRY = re.compile(r"\[([^\]]+)\](?::([0-9]+))?|([^:]+)(?::([0-9]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class AllowRule:
    """One entry of `routeiq.egress.allow` or of a tenant's list: a network (`10.0.0.0/8`), an address or a host, the
    last two with a port.

    A host may start with `*.`, which stands for every name below it.
    """

    host: str | None = None
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> AllowRule:
        """Read an entry as written in the YAML. Raises `ValueError` that says what is wrong with it."""
        entry = text.strip().lower()
        try:
            return cls(network=ip_network(entry))
        except ValueError:
            if "/" in entry:
                raise ValueError(f"{text!r} is neither a network nor host[:port]") from None
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(f"{text!r} is neither a network nor host[:port]")
        name, port_text = match[1] or match[3], match[2] or match[4]
        port = int(port_text) if port_text else None
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(f"{text!r} has a port outside 1 to 65535")
        try:
            return cls(network=ip_network(name), port=port)
        except ValueError:
            if match[1] is not None or not _HOST_PATTERN.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
                raise ValueError(f"{text!r} is neither a network nor host[:port]") from None
        return cls(host=name, port=port)

    def covers_host(self, host: str, port: int) -> bool:
        if self.host is None or self.port not in (None, port):
            return False
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host

    def covers_address(self, address: str, port: int) -> bool:
        if self.network is None or self.port not in (None, port):
            return False
        return ip_address(address.partition("%")[0]) in self.network
