"""What counts as one source: an IPv4 address, an IPv6 network."""

import pytest

from sockctl.source_network import find_source_network


@pytest.mark.parametrize(
    ("host", "bits", "key"),
    [
        ("192.0.2.7", 64, "192.0.2.7"),
        ("2001:db8:0:1::7", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", 64, "2001:db8:0:2::/64"),
        ("2001:db8:0:1::7", 56, "2001:db8::/56"),
        ("2001:db8::7", 128, "2001:db8::7/128"),
        ("fe80::1%eth0", 64, "fe80::1%eth0"),
        ("fe80::2", 64, "fe80::2"),
        ("::1", 64, "::1"),
        ("uid:1000", 64, "uid:1000"),
    ],
)
def test_what_counts_as_one_source(host: str, bits: int, key: str) -> None:
    assert find_source_network(host, bits) == key
