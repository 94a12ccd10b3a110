"""TLS that passes: hellos, alerts, handshake messages by name, and the sizes of the rest."""

import pytest

from sockctl.proxy.tls_hello import ClientHello, ServerHello, decode_client_hello, decode_server_hello
from sockctl.proxy.tls_names import name_alert, name_cipher, name_handshake, name_version
from sockctl.proxy.tls_reading import TlsData, TlsRecord
from tests.support.inspecting import DIALOGUES, FROM, SERVER_HELLO, TO, Step, inspect, make_hellos, record


def hello_of(steps: list[Step]) -> ClientHello | ServerHello | None:
    seen = inspect(steps)[-1]
    assert isinstance(seen, TlsRecord)
    return seen.hello


def test_a_handshake_of_tls_1_3() -> None:
    assert [one.text for one in inspect(DIALOGUES["tls"])] == [
        "TLS ClientHello for b.example, offers TLS 1.3, TLS 1.2, ALPN h2 http/1.1.",
        "TLS ServerHello: TLS 1.3, TLS_AES_256_GCM_SHA384.",
        "TLS change_cipher_spec, 6 bytes.",
        "TLS application data, encrypted: 2 records, 63 bytes.",
        "TLS change_cipher_spec, 6 bytes.",
        "TLS application data, encrypted: 2 records, 84 bytes.",
        "TLS alert: warning close_notify.",
        "TLS alert, encrypted, 25 bytes.",
    ]


def test_all_bytes_belong_to_something() -> None:
    steps = DIALOGUES["tls"]
    assert sum(one.size for one in inspect(steps)) == sum(len(data) for _, data in steps)


def test_what_openssl_offers() -> None:
    assert hello_of(make_hellos("c.example")) == ClientHello(
        server_name="c.example", alpn=(), versions=("TLS 1.3", "TLS 1.2")
    )


def test_a_hello_in_several_records() -> None:
    ((_, data),) = make_hellos("d.example", "h2")
    payload = data[5:]
    first, last = inspect([(TO, record(22, payload[:50]) + record(22, payload[50:]))])
    assert first.text == "TLS handshake, a part of a message."
    assert last.text.startswith("TLS ClientHello for d.example")


def test_several_messages_in_a_record_of_tls_1_2() -> None:
    chosen = SERVER_HELLO[:-6].replace(b"\x13\x02\x00\x00\x06", b"\xc0\x2f\x00\x00\x00")
    chosen = b"\x02" + (len(chosen) - 4).to_bytes(3) + chosen[4:]
    flight = record(22, chosen + b"\x0b\0\0\1x" + b"\x0e\0\0\0")
    changed = record(20, b"\1") + record(22, bytes(40))
    seen = inspect([(FROM, flight), (FROM, changed)])
    assert [one.text for one in seen] == [
        "TLS ServerHello: TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; Certificate; ServerHelloDone.",
        "TLS change_cipher_spec, 6 bytes.",
        "TLS handshake, encrypted, 45 bytes.",
    ]
    assert seen[0].fields["messages"] == ["ServerHello", "Certificate", "ServerHelloDone"]
    assert seen[0].fields["cipher"] == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"


def test_a_retry_is_named() -> None:
    random = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    seen = inspect([(FROM, record(22, SERVER_HELLO.replace(bytes(32), random)))])[-1]
    assert seen.text == "TLS HelloRetryRequest: TLS 1.3, TLS_AES_256_GCM_SHA384."


def test_hellos_that_are_cut_off_say_what_they_can() -> None:
    ((_, data),) = make_hellos("e.example", "h2")
    body = data[9:]
    for size in range(len(body)):
        assert decode_client_hello(body[:size]).versions
    for size in range(len(SERVER_HELLO)):
        assert decode_server_hello(SERVER_HELLO[4:size]).version


def test_numbers_that_mean_nothing_are_left_out() -> None:
    names = b"\0\x10\0\x08\0\x06\x02\x0a\x1a\x02h2"
    versions = b"\0\x2b\0\x05\x04\x9a\x9a\x03\x04"
    extensions = names + versions
    hello = decode_client_hello(
        b"\3\3" + bytes(32) + b"\0" + b"\0\0" + b"\0" + len(extensions).to_bytes(2) + extensions
    )
    assert hello == ClientHello(server_name=None, alpn=("h2",), versions=("TLS 1.3",))
    assert str(hello) == "ClientHello, no server name, offers TLS 1.3, ALPN h2"


def test_names_are_one_line() -> None:
    ((_, data),) = make_hellos("g.example", "h2", "ab")
    hello = hello_of([(TO, data.replace(b"g.example", b"g\nexample").replace(b"\2ab", b"\2a\n"))])
    assert isinstance(hello, ClientHello)
    assert (hello.server_name, hello.alpn) == ("g␊example", ("h2", "a␊"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x03\xff\xff",
        b"\x16\x03\x03\0\0\x99\x03\x03\0\0",
        b"\x16\x03\x03\0\0\x17\x04\x03\0\0",
        record(22, b"\1\xff"),
    ],
)
def test_what_is_no_record_ends_the_reading(data: bytes) -> None:
    kinds = [one.kind for one in inspect([(TO, data + bytes(300))])]
    assert kinds[-1] in {"given_up", "cut_off"}


def test_what_only_begins_like_tls() -> None:
    for data in (b"\x16", b"\x16\x03", b"\x16\x02\x00", b"\x15\x03\x09"):
        assert [one.kind for one in inspect([(TO, data)])] == ["bytes"]


def test_numbers_by_name() -> None:
    assert name_version(0x7F1C) == "version 0x7f1c"
    assert name_cipher(0xFFFF) == "cipher suite 0xffff"
    assert name_handshake(99) == "handshake message 99"
    assert name_alert(2, 40) == "fatal handshake_failure"
    assert name_alert(9, 99) == "9 99"


def test_a_heartbeat_is_named() -> None:
    seen = inspect([(TO, record(22, b"") + record(24, b"\1\0\0") + record(23, b"x"))])
    assert [one.text for one in seen[:2]] == ["TLS handshake, a part of a message.", "TLS heartbeat, 8 bytes."]
    assert isinstance(seen[2], TlsData)
