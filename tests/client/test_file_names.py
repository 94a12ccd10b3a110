"""Names of files, whatever a stranger calls a room."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.file_names import name_file_of, name_folder_of
from sockctl.net.address import Endpoint


def test_readable_names() -> None:
    assert name_file_of("#lobby") == name_file_of("#LOBBY") == "#lobby"
    assert name_file_of("#чай") == "#чай"
    assert name_file_of("#小明") == "#小明"
    assert name_file_of(unicodedata.normalize("NFD", "#José")) == name_file_of("#josé") == "#josé"
    assert name_folder_of([Endpoint("Server.Example", 9090)]) == "server.example_9090"
    assert name_folder_of([Endpoint("::1", 9090)]) == "%3A%3A1_9090"


def test_several_servers_have_one_folder_in_any_order() -> None:
    servers = [Endpoint("b.example", 9090), Endpoint("A.example", 9090), Endpoint("::1", 9091)]
    assert name_folder_of(servers) == "%3A%3A1_9091,a.example_9090,b.example_9090"
    assert name_folder_of([*reversed(servers), servers[0]]) == name_folder_of(servers)
    many = name_folder_of([Endpoint(f"server{number}.example", 9090) for number in range(20)])
    assert len(many.encode()) < 255
    assert many != name_folder_of([Endpoint(f"server{number}.example", 9090) for number in range(21)])


def test_hostile_names() -> None:
    assert name_file_of("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd"
    assert name_file_of("..") == "%2E."
    assert name_file_of("") == "%"
    assert name_file_of("a\0b\n~") == "a%00b%0A%7E"
    assert name_file_of("\ud800") == "%ED%A0%80"
    one, two = name_file_of("я" * 60_000), name_file_of("я" * 60_001)
    assert one != two
    assert max(map(len, map(str.encode, (one, two)))) < 200


@given(st.text(), st.text())
def test_every_name_stays_in_its_folder_and_apart(one: str, two: str) -> None:
    names = {text: name_file_of(text) for text in (one, two)}
    for name in names.values():
        assert name
        assert "/" not in name
        assert not name.startswith(".")
        assert "\0" not in name
        assert len(name.encode()) < 200
        assert name.isprintable()
    same = unicodedata.normalize("NFC", one.lower()) == unicodedata.normalize("NFC", two.lower())
    assert same or names[one] != names[two] or one.casefold() == two.casefold()
