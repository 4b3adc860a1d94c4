"""Outbound HTTP, the only door out of the gateway: `Url` → `EgressPolicy` → `Egress`.

No provider, webhook or plugin is named here; whoever calls out comes through `Egress.request` or a transport.
"""

from routeiq.egress.address import AddressClass, classify
from routeiq.egress.call import Credentials, PendingResponse, PoolLimits, Timeouts
from routeiq.egress.client import Egress
from routeiq.egress.connector import Lookup
from routeiq.egress.fetch import Fetched, read_capped
from routeiq.egress.policy import EgressPolicy
from routeiq.egress.rules import AllowRule
from routeiq.egress.tenants import OutOfReach, Reach, TenantList
from routeiq.egress.transports import httpx_client, httpx_transport
from routeiq.egress.url import EgressRefused, Origin, Url, parse_operator_url, parse_url, redact

__all__ = [
    "AddressClass",
    "AllowRule",
    "Credentials",
    "Egress",
    "EgressPolicy",
    "EgressRefused",
    "Fetched",
    "Lookup",
    "Origin",
    "OutOfReach",
    "PendingResponse",
    "PoolLimits",
    "Reach",
    "TenantList",
    "Timeouts",
    "Url",
    "classify",
    "httpx_client",
    "httpx_transport",
    "parse_operator_url",
    "parse_url",
    "read_capped",
    "redact",
]
