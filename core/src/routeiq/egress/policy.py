"""Who may be called: the operator's own origins as written, public addresses for everyone else, and what `allow` adds.

Pure and immutable: it resolves nothing, and a reload builds a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from routeiq.egress.address import AddressClass, classify
from routeiq.egress.url import EgressRefused, Origin, Url, parse_operator_url, parse_url

# Names under which clouds answer with credentials. Their addresses are refused as well; the name says it sooner.
METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.azure.internal",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
METADATA_REASON = "cloud metadata services are never reachable"
WEB_PORTS = frozenset({80, 443})
FIRST_UNPRIVILEGED_PORT = 1024

_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?", re.ASCII)
_ENTRY = re.compile(r"\[([^\]]+)\](?::([0-9]+))?|([^:]+)(?::([0-9]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class AllowRule:
    """One entry of `routeiq.egress.allow`: a network (`10.0.0.0/8`), an address or a host, the last two with a port.

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
                raise ValueError(f"egress.allow: {text!r} is neither a network nor host[:port]") from None
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(f"egress.allow: {text!r} is neither a network nor host[:port]")
        name, port_text = match[1] or match[3], match[2] or match[4]
        port = int(port_text) if port_text else None
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(f"egress.allow: {text!r} has a port outside 1 to 65535")
        try:
            return cls(network=ip_network(name), port=port)
        except ValueError:
            if match[1] is not None or not _HOST_PATTERN.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
                raise ValueError(f"egress.allow: {text!r} is neither a network nor host[:port]") from None
        return cls(host=name, port=port)

    def covers_host(self, host: str, port: int) -> bool:
        if self.host is None or self.port not in (None, port):
            return False
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host

    def covers_address(self, address: str, port: int) -> bool:
        if self.network is None or self.port not in (None, port):
            return False
        return ip_address(address.partition("%")[0]) in self.network


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The rules of one configuration. `operator_origins` come from the YAML alone, not from requests or databases."""

    operator_origins: frozenset[Origin] = frozenset()
    allow: tuple[AllowRule, ...] = ()
    dotless: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        for origin in self.operator_origins:
            _refuse_metadata(origin.host, str(origin))
        named = {origin.host for origin in self.operator_origins} | {rule.host for rule in self.allow if rule.host}
        object.__setattr__(self, "dotless", frozenset(name for name in named if "." not in name))

    @classmethod
    def compile(cls, operator_urls: Iterable[str], allow: Iterable[str]) -> EgressPolicy:
        """Build a policy from the YAML's own words. Raises `EgressRefused` or `ValueError`, naming the entry."""
        origins = frozenset(parse_operator_url(text).origin for text in operator_urls)
        return cls(origins, tuple(AllowRule.parse(text) for text in allow))

    def parse(self, text: str) -> Url:
        """Parse a URL of any source; single-label hosts pass only where the operator named them."""
        return parse_url(text, dotless=self.dotless)

    def check_url(self, url: Url) -> None:
        """What can be said about a guarded call before its name is resolved. Raises `EgressRefused`."""
        host, port = url.host, url.port
        _refuse_metadata(host, str(url))
        if port < FIRST_UNPRIVILEGED_PORT and port not in WEB_PORTS and not self._names_port(url):
            raise EgressRefused(
                str(url), f"port {port} is not a web port; `routeiq.egress.allow` may name {host}:{port}"
            )
        if url.is_literal:
            self.check_address(host, port, host)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Whether a guarded call to `host` may connect to the numeric `address`. Raises `EgressRefused`."""
        found = _reachable_class(host, port, address)
        if found is AddressClass.PUBLIC:
            return
        if any(rule.covers_host(host, port) or rule.covers_address(address, port) for rule in self.allow):
            return
        raise EgressRefused(
            f"{host}:{port}",
            f"{address} is a {found} address; `routeiq.egress.allow` may name the host or its network",
        )

    def check_operator_address(self, host: str, port: int, address: str) -> None:
        """Whether a call to an origin the operator wrote may connect to `address`: always, except for metadata."""
        _reachable_class(host, port, address)

    def _names_port(self, url: Url) -> bool:
        return any(
            rule.port == url.port
            and (rule.covers_host(url.host, url.port) or (url.is_literal and rule.covers_address(url.host, url.port)))
            for rule in self.allow
        )


def _refuse_metadata(host: str, shown: str) -> None:
    """Metadata is out of reach for everyone, be `host` a name or an address."""
    try:
        denied = host in METADATA_NAMES or classify(host) is AddressClass.METADATA
    except ValueError:
        return
    if denied:
        raise EgressRefused(shown, METADATA_REASON)


def _reachable_class(host: str, port: int, address: str) -> AddressClass:
    """The class of `address`. Refuses metadata, and an answer that is no address at all."""
    try:
        found = classify(address)
    except ValueError:
        raise EgressRefused(f"{host}:{port}", "its name resolved to something that is no IP address") from None
    if found is AddressClass.METADATA:
        raise EgressRefused(f"{host}:{port}", METADATA_REASON)
    return found
