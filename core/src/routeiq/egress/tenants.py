"""What a tenant's requests are confined to: the lists of `routeiq.egress.tenants`, compiled.

A list narrows and never opens: what can be reached at all is `policy`'s question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from routeiq.egress.rules import AllowRule
from routeiq.egress.url import EgressRefused, Url


class OutOfReach(EgressRefused):
    """A call that the rules allow, though not for this tenant."""

    def __init__(self, url: str, tenant: str) -> None:
        self.tenant = tenant
        super().__init__(url, f"`routeiq.egress.tenants` does not list it for {tenant!r}")


@dataclass(frozen=True, slots=True)
class TenantList:
    """All that one tenant may reach; empty means nothing at all."""

    tenant: str
    only: tuple[AllowRule, ...]

    @classmethod
    def compile(cls, tenant: str, only: Iterable[str]) -> TenantList:
        """Read a list as written in the YAML. Raises `ValueError` that names the entry."""
        return cls(tenant, tuple(AllowRule.parse(text) for text in only))

    def covers(self, url: Url) -> bool | None:
        """Whether it lists `url`; `None` when that depends on the addresses of its name."""
        host, port = url.host, url.port
        if any(rule.covers_host(host, port) for rule in self.only):
            return True
        if url.is_literal:
            return self.covers_address(host, port)
        return None if any(rule.network is not None and rule.port in (None, port) for rule in self.only) else False

    def covers_address(self, address: str, port: int) -> bool:
        """Whether one of its networks holds `address`."""
        return any(rule.covers_address(address, port) for rule in self.only)


@dataclass(frozen=True, slots=True)
class Reach:
    """The lists that bind a request: its team's, its organization's. All of them have to cover a call."""

    lists: tuple[TenantList, ...]

    def check(self, url: Url) -> bool:
        """Whether the addresses of `url` have to be checked as well. Raises `OutOfReach`."""
        undecided = False
        for each in self.lists:
            covered = each.covers(url)
            if covered is False:
                raise OutOfReach(str(url), each.tenant)
            undecided = undecided or covered is None
        return undecided

    def check_address(self, url: Url, address: str) -> None:
        """Whether a call to `url` may connect to the numeric `address`. Raises `OutOfReach`."""
        for each in self.lists:
            if each.covers(url) is None and not each.covers_address(address, url.port):
                raise OutOfReach(str(url), each.tenant)
