"""Bans are found by a few look-ups; texts that name no network."""

from timeit import timeit

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, parse_banned_network, parse_network
from tests.support.bans import add_ban
from tests.support.clock import NOON


def at(*addresses: str, name: str = "", guest: str = "") -> Target:
    networks = (network for address in addresses if (network := parse_banned_network(address)) is not None)
    return Target(name=name, guest=guest, networks=tuple(networks))


def test_asking_takes_no_longer_with_many_bans() -> None:
    targets = [at(f"10.{number // 250}.{number % 250}.1") for number in range(2_000)]
    few, many = BanTable(), BanTable()
    add_ban(few, targets[0], by="ann")
    many.restore(Ban(target, "ann", NOON, None) for target in targets)

    def seconds(table: BanTable) -> float:
        return min(timeit(lambda: table.find(address="192.0.2.7"), number=200) for _ in range(5))

    assert seconds(many) < 50 * seconds(few), "not 2,000 times that"


def test_a_user_at_a_unix_socket_is_found() -> None:
    table = BanTable()
    add_ban(table, at("uid:1000"), by="ann")
    found = [table.find(address=address) is not None for address in ("uid:1000", "uid:1001", "100::3e8:1", "10.0.0.1")]
    assert found == [True, False, False, False]


def test_no_networks() -> None:
    assert [parse_network(text) for text in ("", "ann", "1", "192.0.2", "192.0.2.0/33", "::1::")] == [None] * 6
