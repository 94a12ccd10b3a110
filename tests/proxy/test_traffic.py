"""What the proxy tells of what passes."""

import socket

from sockctl.events.base import HELD_BYTES, Level
from tests.support.proxies import proxied
from tests.support.running import receive_exactly, wait_until

REQUEST = b"GET /page HTTP/1.1\r\nHost: there.example\r\n\r\n"


def pass_on(sender: socket.socket, receiver: socket.socket, data: bytes) -> None:
    sender.sendall(data)
    assert receive_exactly(receiver, len(data)) == data


def test_text_is_told_with_its_direction_and_its_time() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, "hello, wörld\nsecond line\n".encode())
        pass_on(there, client, b"220 welcome\r\n")
        first, second = proxy.told("data_passed", 2)
    assert (first.direction, first.bytes, second.direction, second.bytes) == ("to_target", 26, "to_client", 13)
    assert 0 <= second.gap_s < 60
    assert first.happened.startswith("> 26 bytes after ")
    assert first.dump.decode().splitlines() == ["hello, wörld", "second line"]
    assert second.seen[0]["kind"] == "text"


def test_what_could_steer_a_terminal_is_shown_as_a_sign() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, b"title \x1b]0;gotcha\x07 and \x9b\n")
        (told,) = proxy.told("data_passed")
    assert b"\x1b" not in told.dump
    assert "␛" in told.dump.decode()


def test_http_is_recognised() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, REQUEST)
        (told,) = proxy.told("data_passed")
    assert told.seen[0]["kind"] == "http_request"
    assert "GET /page" in told.happened
    assert b"there.example" in told.dump, "details are shown with -v"


def test_all_bytes_are_shown_in_hex() -> None:
    with proxied(hex_dump=True) as proxy, proxy.pair() as (client, there):
        pass_on(client, there, b"hello")
        pass_on(client, there, b"the end")
        told = proxy.told("data_passed", 2)
    assert told[-1].dump.decode() == f"> 00000005  {b'the end'.hex(' '):<48}  |the end|\n"
    assert not told[-1].is_summed
    assert "hex" not in told[-1].fields


def test_json_has_all_bytes_in_hex() -> None:
    data = bytes(range(256)) * 600
    with proxied(hex_dump=True, is_json=True) as proxy, proxy.pair() as (client, there):
        pass_on(client, there, data)
        pass_on(client, there, b"the end")
        wait_until(lambda: sum(event.bytes for event in proxy.told("data_passed")) == len(data) + 7)
        told = proxy.told("data_passed")
    assert b"".join(event.hex for event in told) == data + b"the end"
    assert told[-1].fields["hex"] == b"the end".hex()
    assert told[-1].offset == len(data)
    assert not told[-1].dump


def test_busy_traffic_becomes_sums_that_have_every_byte() -> None:
    with proxied(sums=True) as proxy, proxy.pair() as (client, there):
        for _ in range(300):
            pass_on(client, there, b"ping")
            pass_on(there, client, b"answer")
        client.close()
        there.close()
        proxy.told("client_disconnected")
        told = proxy.told("data_passed")
    for direction, count in (("to_target", 1200), ("to_client", 1800)):
        assert sum(event.bytes for event in told if event.direction == direction) == count
    sums = [event for event in told if event.seconds is not None]
    assert sums
    assert len(told) < 300
    assert all("read" in event.happened and event.explanation for event in sums)
    assert not any(event.seen for event in told), "with --sums nothing is looked into"


def test_a_sum_is_told_while_the_connection_lasts() -> None:
    with proxied(sums=True) as proxy, proxy.pair() as (client, there):
        for _ in range(100):
            pass_on(client, there, b"ping")
        wait_until(lambda: sum(event.bytes for event in proxy.told("data_passed")) == 400)


def test_what_is_cut_off_is_told_at_the_end() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, REQUEST[:20])
        client.shutdown(socket.SHUT_WR)
        (ended,) = proxy.told("side_ended")
        assert all(event.bytes for event in proxy.told("data_passed"))
    assert [item["kind"] for item in ended.fields["seen"]] == ["cut_off"]
    assert ended.happened.startswith("> The client sends no more. This direction ended in the middle of ")
    assert (ended.name, ended.own_level) == ("side_ended", Level.INFO)
    assert ended.held_bytes > HELD_BYTES


def test_a_body_without_a_length_is_told_with_the_end_that_completes_it() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, REQUEST)
        pass_on(there, client, b"HTTP/1.0 200 OK\r\n\r\nhello")
        there.shutdown(socket.SHUT_WR)
        (ended,) = proxy.told("side_ended")
        assert len(proxy.told("data_passed")) == 2
    assert ended.happened == "< The target sends no more. HTTP body complete: 5 bytes."
    assert ended.seen[0]["kind"] == "http_body"
    assert ended.dump == b""


def test_an_end_alone_is_a_detail() -> None:
    with proxied() as proxy, proxy.pair() as (client, _):
        client.shutdown(socket.SHUT_WR)
        (ended,) = proxy.told("side_ended")
    assert (ended.seen, ended.own_level) == (None, Level.DETAIL)


def test_events_of_the_core_do_not_tell_the_bytes_again() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, b"hello\n")
        client.close()
        there.close()
        proxy.told("client_disconnected")
        assert not proxy.run.sink.named("data_received")
        assert all(event.level >= Level.DETAIL for event in proxy.run.sink.events)


def test_only_the_first_things_of_a_read_are_told_in_words() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        pass_on(client, there, REQUEST * 15)
        wait_until(lambda: sum(event.bytes for event in proxy.told("data_passed")) == 15 * len(REQUEST))
        told = proxy.told("data_passed")
    assert sum(len(event.seen or ()) for event in told) == 15
    if len(told) == 1:  # they came in one read
        assert told[0].happened.endswith("… and 5 more.")
        assert told[0].happened.count("GET /page") == 10
        assert told[0].held_bytes > 15 * 2_000


def test_a_sum_has_what_is_notable() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        for _ in range(200):
            pass_on(client, there, REQUEST)
        client.close()
        there.close()
        proxy.told("client_disconnected")
        sums = [event for event in proxy.told("data_passed") if event.seconds is not None]
    assert sums, "200 reads at once are more than are told one by one"
    assert sums[0].seen[0]["kind"] == "http_request"
    assert "HTTP request GET /page" in sums[0].happened
    assert len(sums[0].seen) <= 10
    assert all(event.reads <= 10 or "more." in event.happened for event in sums)
