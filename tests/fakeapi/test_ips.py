"""Addresses and CIDRs: what is refused, in upstream's words."""

from __future__ import annotations

import pytest

from fakeapi import ips


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("10.0.0.1", ""),
        ("fd00::1", ""),
        ("nope", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("010.0.0.1", "must not have leading 0s"),
        ("::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
        ("fd00:0::1", 'must be in canonical form ("fd00::1")'),
    ],
)
def test_addresses(value, detail):
    assert [e.detail for e in ips.check_ip("f", value)] == ([detail] if detail else [])


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("10.0.0.0/8", ""),
        ("10.0.0.5/8", "must not have bits set beyond the prefix length"),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.0", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ],
)
def test_ranges(value, detail):
    assert [e.detail for e in ips.check_cidr("f", value)] == ([detail] if detail else [])


def test_values_that_were_there_before_pass():
    assert ips.check_ip_legacy("f", "010.0.0.1", {"010.0.0.1"}) == []
