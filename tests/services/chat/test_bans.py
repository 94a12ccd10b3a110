"""Whom a ban means, and the networks that an operator may name."""

import datetime
from ipaddress import ip_network

import pytest

from sockctl.services.chat.bans import Ban, Target, format_network, parse_banned_network, parse_network
from tests.support.clock import NOON

HOME = ip_network("192.0.2.7/32")
OFFICE = ip_network("198.51.100.0/24")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("fe80::1%eth0", "fe80::1/128"),
        ("fe80::1%eth0/64", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
    ],
)
def test_a_network_in_any_usual_form(text: str, network: str) -> None:
    assert parse_network(text) == ip_network(network)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::1/128", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("fe80::1%eth0", "fe80::1/128"),
    ],
)
def test_a_single_ipv6_address_stands_for_its_network(text: str, network: str) -> None:
    assert parse_banned_network(text) == ip_network(network)
    assert parse_banned_network("ann") is None


def test_the_usual_form_of_a_network() -> None:
    assert [format_network(one) for one in (HOME, OFFICE)] == ["192.0.2.7", "198.51.100.0/24"]


def test_a_user_at_a_unix_socket_is_a_network_of_its_own() -> None:
    ann, bob = parse_banned_network("uid:1000"), parse_banned_network(" uid:1001 ")
    assert ann is not None
    assert bob is not None
    assert ann == parse_network("uid:1000")
    assert not ann.overlaps(bob)
    assert [format_network(one) for one in (ann, bob)] == ["uid:1000", "uid:1001"]
    assert parse_network("uid:ann") is None
    assert parse_network(f"uid:{2**32}") is None
    assert Target(name="zoe", networks=(ann,)).describe() == "zoe (address uid:1000)"
    assert Target(name="zoe", networks=(ann,)).is_named("uid:1000")


def test_addresses_are_shown_to_operators_only() -> None:
    zoe = Target(name="zoe", account="bert", networks=(HOME, OFFICE))
    assert zoe.describe() == "zoe (account bert, address 192.0.2.7 and 198.51.100.0/24)"
    assert zoe.describe(addresses=False) == "zoe (account bert, the address)"
    assert Target(name="zoe").describe() == "zoe"
    assert Target(networks=(OFFICE,)).describe(addresses=False) == "198.51.100.0/24", "the operator gave it"


def test_a_token_is_shown_nowhere() -> None:
    assert "the token" not in repr(Target(name="zoe", guest="the token"))


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("bert", True),
        (" BERT ", True),
        ("Zoe", True),
        ("192.0.2.7", True),
        ("2001:db8::9", True),
        ("2001:db8::/64", True),
        ("192.0.2.8", False),
        ("ann", False),
        ("", False),
    ],
)
def test_an_operator_names_a_target(word: str, *, named: bool) -> None:
    networks = (HOME, ip_network("2001:db8::/64"))
    assert Target(name="zoe", account="bert", networks=networks).is_named(word) == named


def test_a_target_without_a_name_is_not_named_by_no_word() -> None:
    assert not Target(networks=(OFFICE,)).is_named("")


def test_which_targets_replace_each_other() -> None:
    assert Target(name="zoe", account="bert").key == Target(name="bert", account="bert", networks=(HOME,)).key
    assert Target(name="Zoe", networks=(HOME,)).key == Target(name="zoe", networks=(HOME,)).key
    assert Target(name="zoe", networks=(HOME,)).key != Target(name="zoe", networks=(OFFICE,)).key


def test_how_long_a_ban_lasts() -> None:
    hour = datetime.timedelta(hours=1)
    assert Ban(Target(name="zoe"), "ann", NOON, None).lasts(NOON + 10_000 * hour)
    ban = Ban(Target(name="zoe"), "ann", NOON, NOON + hour)
    assert ban.lasts(NOON)
    assert not ban.lasts(NOON + hour)
