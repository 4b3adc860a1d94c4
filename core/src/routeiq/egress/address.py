"""What kind of network an IP address belongs to: our own table, the same on every Python version.

No name is resolved and no permission is given here; see `policy`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


class AddressClass(StrEnum):
    """Where a packet to an address ends up. Only `PUBLIC` is reachable without permission, `METADATA` never."""

    PUBLIC = "public"
    PRIVATE = "private"
    SHARED = "shared (carrier-grade NAT)"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    METADATA = "cloud metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"


Table = tuple[tuple[int, int, AddressClass], ...]


def _table(version: int, rows: dict[str, AddressClass]) -> Table:
    """Rows as (network, shift, class); the longest prefix first, so the first hit is the right one."""
    bits = 32 if version == 4 else 128
    networks = sorted((ip_network(text) for text in rows), key=lambda network: -network.prefixlen)
    return tuple(
        (
            int(network.network_address) >> (bits - network.prefixlen),
            bits - network.prefixlen,
            rows[str(network)],
        )
        for network in networks
    )


# IANA special-purpose registries, RFC 6890 and its updates, plus the addresses at which clouds hand out credentials.
_IPV4 = _table(
    4,
    {
        "0.0.0.0/8": AddressClass.RESERVED,
        "0.0.0.0/32": AddressClass.UNSPECIFIED,
        "10.0.0.0/8": AddressClass.PRIVATE,
        "100.64.0.0/10": AddressClass.SHARED,
        "100.100.100.200/32": AddressClass.METADATA,  # Alibaba Cloud
        "127.0.0.0/8": AddressClass.LOOPBACK,
        "168.63.129.16/32": AddressClass.METADATA,  # Azure fabric
        "169.254.0.0/16": AddressClass.LINK_LOCAL,
        "169.254.0.23/32": AddressClass.METADATA,  # Tencent Cloud
        "169.254.42.42/32": AddressClass.METADATA,  # Scaleway
        "169.254.169.0/24": AddressClass.METADATA,  # .254 on most clouds; its neighbours are instance services too
        "169.254.170.0/24": AddressClass.METADATA,  # AWS container and pod credentials
        "172.16.0.0/12": AddressClass.PRIVATE,
        "192.0.0.0/24": AddressClass.RESERVED,
        "192.0.0.192/32": AddressClass.METADATA,  # Oracle Cloud
        "192.0.2.0/24": AddressClass.RESERVED,
        "192.88.99.0/24": AddressClass.RESERVED,
        "192.168.0.0/16": AddressClass.PRIVATE,
        "198.18.0.0/15": AddressClass.RESERVED,
        "198.51.100.0/24": AddressClass.RESERVED,
        "203.0.113.0/24": AddressClass.RESERVED,
        "224.0.0.0/4": AddressClass.MULTICAST,
        "240.0.0.0/4": AddressClass.RESERVED,
    },
)

# Only 2000::/3 is handed out as global unicast: whatever no row names and lies outside it is reserved.
_IPV6 = _table(
    6,
    {
        "::/0": AddressClass.RESERVED,
        "::/128": AddressClass.UNSPECIFIED,
        "::1/128": AddressClass.LOOPBACK,
        "64:ff9b::/96": AddressClass.PUBLIC,  # NAT64: as public as the IPv4 address inside
        "2000::/3": AddressClass.PUBLIC,
        "2001::/23": AddressClass.RESERVED,  # Teredo, benchmarking, ORCHID
        "2001:db8::/32": AddressClass.RESERVED,
        "2002::/16": AddressClass.RESERVED,
        "3ffe::/16": AddressClass.RESERVED,
        "3fff::/20": AddressClass.RESERVED,
        "fc00::/7": AddressClass.PRIVATE,
        "fd00:42::42/128": AddressClass.METADATA,  # Scaleway
        "fd00:ec2::/32": AddressClass.METADATA,  # AWS instance services
        "fd20:ce::254/128": AddressClass.METADATA,  # Google Cloud
        "fe80::/10": AddressClass.LINK_LOCAL,
        "fec0::/10": AddressClass.PRIVATE,
        "ff00::/8": AddressClass.MULTICAST,
    },
)


def _look_up(table: Table, value: int) -> AddressClass:
    for network, shift, found in table:
        if value >> shift == network:
            return found
    return AddressClass.PUBLIC


def embedded_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that a translator or tunnel could find inside `address`."""
    value = int(address)
    low, prefix = value & 0xFFFFFFFF, value >> 32
    found: list[int] = []
    # IPv4-mapped; IPv4-translated (RFC 7915); NAT64 well-known (RFC 6052); IPv4-compatible (deprecated by RFC 4291)
    if prefix in (0xFFFF, 0xFFFF0000, 0x0064FF9B << 64) or (prefix == 0 and value > 1):
        found.append(low)
    elif value >> 80 == 0x0064FF9B0001:  # NAT64 for local use (RFC 8215): the layout depends on the site's length
        found += [low, *(_rfc6052(value, length) for length in (48, 56, 64))]
    elif value >> 112 == 0x2002:  # 6to4 (RFC 3056)
        found.append(value >> 80 & 0xFFFFFFFF)
    elif value >> 96 == 0x20010000:  # Teredo (RFC 4380): the server, and the client with its bits inverted
        found += [value >> 64 & 0xFFFFFFFF, low ^ 0xFFFFFFFF]
    if prefix & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE):  # ISATAP (RFC 5214)
        found.append(low)
    return tuple(IPv4Address(number) for number in found)


def _rfc6052(value: int, length: int) -> int:
    """The IPv4 address behind a prefix of `length` bits. Bits 64 to 71 are skipped, as the RFC says."""
    without_gap = (value >> 64) << 56 | (value & (1 << 56) - 1)
    return without_gap >> (120 - length - 32) & 0xFFFFFFFF


@lru_cache(maxsize=4096)
def classify(text: str) -> AddressClass:
    """The class of a numeric address, as a resolver or a socket reports it. Raises `ValueError` for anything else."""
    address = ip_address(text.partition("%")[0])  # a socket reports link-local peers with their zone
    if isinstance(address, IPv4Address):
        return _look_up(_IPV4, int(address))
    own = _look_up(_IPV6, int(address))
    inside = [_look_up(_IPV4, int(inner)) for inner in embedded_ipv4(address)]
    if AddressClass.METADATA in inside:
        return AddressClass.METADATA
    if address.ipv4_mapped is not None:
        return inside[0]
    # An address that is public by its own row is only as public as what it carries.
    return own if own is not AddressClass.PUBLIC or not inside else inside[0]
