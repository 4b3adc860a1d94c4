"""Who may be called: the operator's own origins as written, public addresses for everyone else, and what `allow` adds.

Pure and immutable: it resolves nothing, and a reload builds a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from routeiq.egress.address import AddressClass, classify
from routeiq.egress.rules import AllowRule
from routeiq.egress.tenants import Reach, TenantList
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


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The rules of one configuration. `operator_origins` come from the YAML alone, not from requests or databases."""

    operator_origins: frozenset[Origin] = frozenset()
    allow: tuple[AllowRule, ...] = ()
    tenants: Mapping[str, TenantList] = field(default_factory=dict)
    dotless: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        for origin in self.operator_origins:
            refuse_metadata(origin.host, str(origin))
        # A tenant's list opens nothing, so its names are none of these.
        named = {origin.host for origin in self.operator_origins} | {rule.host for rule in self.allow if rule.host}
        object.__setattr__(self, "dotless", frozenset(name for name in named if "." not in name))

    @classmethod
    def compile(
        cls,
        operator_urls: Iterable[str],
        allow: Iterable[str],
        tenants: Mapping[str, Iterable[str]] | None = None,
    ) -> EgressPolicy:
        """Build a policy from the YAML's own words. Raises `EgressRefused` or `ValueError`, naming the entry."""
        origins = frozenset(parse_operator_url(text).origin for text in operator_urls)
        lists = {name: TenantList.compile(name, only) for name, only in (tenants or {}).items()}
        return cls(origins, tuple(AllowRule.parse(text) for text in allow), MappingProxyType(lists))

    def reach(self, tenants: Iterable[str]) -> Reach | None:
        """What a request of these tenants (its team, its organization) is confined to; `None` when to nothing."""
        if not self.tenants:
            return None
        lists = tuple(self.tenants[name] for name in tenants if name in self.tenants)
        return Reach(lists) if lists else None

    def parse(self, text: str) -> Url:
        """Parse a URL of any source; single-label hosts pass only where the operator named them."""
        return parse_url(text, dotless=self.dotless)

    def check_url(self, url: Url) -> None:
        """What can be said about a guarded call before its name is resolved. Raises `EgressRefused`."""
        host, port = url.host, url.port
        refuse_metadata(host, str(url))
        if port < FIRST_UNPRIVILEGED_PORT and port not in WEB_PORTS and not self._names_port(url):
            raise EgressRefused(
                str(url), f"port {port} is not a web port; `routeiq.egress.allow` may name {host}:{port}"
            )
        if url.is_literal:
            self.check_address(host, port, host)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Whether a guarded call to `host` may connect to the numeric `address`. Raises `EgressRefused`."""
        found = reachable_class(host, port, address)
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
        reachable_class(host, port, address)

    def _names_port(self, url: Url) -> bool:
        return any(
            rule.port == url.port
            and (rule.covers_host(url.host, url.port) or (url.is_literal and rule.covers_address(url.host, url.port)))
            for rule in self.allow
        )


def refuse_metadata(host: str, shown: str) -> None:
    """Metadata is out of reach for everyone, be `host` a name or an address."""
    try:
        denied = host in METADATA_NAMES or classify(host) is AddressClass.METADATA
    except ValueError:
        return
    if denied:
        raise EgressRefused(shown, METADATA_REASON)


def reachable_class(host: str, port: int, address: str) -> AddressClass:
    """The class of `address`. Refuses metadata, and an answer that is no address at all."""
    try:
        found = classify(address)
    except ValueError:
        raise EgressRefused(f"{host}:{port}", "its name resolved to something that is no IP address") from None
    if found is AddressClass.METADATA:
        raise EgressRefused(f"{host}:{port}", METADATA_REASON)
    return found
