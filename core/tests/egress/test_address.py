"""The address table: each network has its class on every Python version, also when one address hides another."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.egress.address import AddressClass, classify

C = AddressClass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.1.1.1", C.PUBLIC),
        ("93.184.216.34", C.PUBLIC),
        ("100.63.255.255", C.PUBLIC),
        ("100.128.0.0", C.PUBLIC),
        ("172.15.255.255", C.PUBLIC),
        ("172.32.0.0", C.PUBLIC),
        ("168.63.129.15", C.PUBLIC),
        ("223.255.255.255", C.PUBLIC),
        ("0.0.0.0", C.UNSPECIFIED),
        ("0.0.0.1", C.RESERVED),
        ("10.0.0.0", C.PRIVATE),
        ("172.16.0.0", C.PRIVATE),
        ("172.31.255.255", C.PRIVATE),
        ("192.168.255.255", C.PRIVATE),
        ("100.64.0.0", C.SHARED),
        ("100.127.255.255", C.SHARED),
        ("127.0.0.1", C.LOOPBACK),
        ("127.255.255.255", C.LOOPBACK),
        ("169.254.0.1", C.LINK_LOCAL),
        ("169.254.169.254", C.METADATA),
        ("169.254.170.2", C.METADATA),
        ("168.63.129.16", C.METADATA),
        ("100.100.100.200", C.METADATA),
        ("192.0.0.192", C.METADATA),
        ("192.0.0.1", C.RESERVED),
        ("192.0.2.1", C.RESERVED),
        ("192.88.99.1", C.RESERVED),
        ("198.19.255.255", C.RESERVED),
        ("203.0.113.1", C.RESERVED),
        ("224.0.0.1", C.MULTICAST),
        ("239.255.255.255", C.MULTICAST),
        ("240.0.0.1", C.RESERVED),
        ("255.255.255.255", C.RESERVED),
        ("2606:4700:4700::1111", C.PUBLIC),
        ("2001:4860:4860::8888", C.PUBLIC),
        ("2001:200::1", C.PUBLIC),
        ("::", C.UNSPECIFIED),
        ("::1", C.LOOPBACK),
        ("::2", C.RESERVED),
        ("fc00::1", C.PRIVATE),
        ("fdff::1", C.PRIVATE),
        ("fe80::1", C.LINK_LOCAL),
        ("fe80::1%eth0", C.LINK_LOCAL),
        ("fec0::1", C.PRIVATE),
        ("ff02::1", C.MULTICAST),
        ("fd00:ec2::254", C.METADATA),
        ("fd20:ce::254", C.METADATA),
        ("2001:db8::1", C.RESERVED),
        ("2001:2::1", C.RESERVED),
        ("3fff:fff::1", C.RESERVED),
        ("5f00::1", C.RESERVED),
        ("100::1", C.RESERVED),
        ("::ffff:93.184.216.34", C.PUBLIC),
        ("::ffff:127.0.0.1", C.LOOPBACK),
        ("::ffff:10.0.0.1", C.PRIVATE),
        ("64:ff9b::5db8:d822", C.PUBLIC),
        ("64:ff9b::127.0.0.1", C.LOOPBACK),
        ("64:ff9b::192.168.0.1", C.PRIVATE),
        ("64:ff9b:1::5db8:d822", C.RESERVED),
        ("::127.0.0.1", C.RESERVED),
        ("2002:7f00:1::", C.RESERVED),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", C.RESERVED),
        ("2a00::5efe:127.0.0.1", C.LOOPBACK),
        ("2a00::200:5efe:10.0.0.1", C.PRIVATE),
    ],
)
def test_each_network_has_its_class(text: str, expected: AddressClass) -> None:
    assert classify(text) is expected


@pytest.mark.parametrize(
    "wrapped",
    [
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:0:a9:fea9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001::5601:5601",
        "2a00::5efe:169.254.169.254",
    ],
)
def test_a_metadata_address_is_seen_through_every_wrapping(wrapped: str) -> None:
    assert classify(wrapped) is C.METADATA


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "0x7f.0.0.1", "127.0.0.01", "1.2.3.4.5", "::g"])
def test_only_canonical_numbers_are_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        classify(text)


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_never_public_here(address: object) -> None:
    reference = ip_address(str(address))
    if isinstance(reference, IPv6Address) and reference.ipv4_mapped is not None:
        reference = reference.ipv4_mapped
    # The reverse does not hold, and the library's own answers differ from version to version.
    if reference.is_private or reference.is_loopback or reference.is_link_local or reference.is_multicast:
        assert classify(str(address)) is not C.PUBLIC
