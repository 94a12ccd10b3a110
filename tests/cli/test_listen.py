"""`sockctl listen`, as processes: beside the tools that people know, with each option, and with clients that fail."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.serve_place import DEFAULT_PORT
from sockctl.os_limits import RESERVE
from tests.support.listening import listening, piped, reset
from tests.support.running import (
    START_S,
    TIMEOUT_S,
    connect,
    free_port,
    listens,
    process,
    receive_all,
    receive_exactly,
    send_and_half_close,
    sockctl,
    wait_until,
)
from tests.support.tls import self_signed
from tests.support.tools import tool

PACKAGES = {"nc": "netcat-openbsd", "ncat": "ncat", "socat": "socat"}
LARGE = random.Random(23).randbytes(20_000_000)
DATA = LARGE[:500_000]
SENDERS = {
    "ncat": ["--send-only", "127.0.0.1", "PORT"],
    "nc": ["-N", "127.0.0.1", "PORT"],
    "socat": ["-u", "-", "TCP:127.0.0.1:PORT"],
}
RECEIVERS = {
    "ncat": ["--recv-only", "127.0.0.1", "PORT"],
    "nc": ["-N", "127.0.0.1", "PORT"],
    "socat": ["-u", "TCP:127.0.0.1:PORT", "-"],
}
BOTH_WAYS = {
    "ncat": ["127.0.0.1", "PORT"],
    "nc": ["-N", "127.0.0.1", "PORT"],
    "socat": ["-t", "30", "-", "TCP:127.0.0.1:PORT"],
}


def run_tool(name: str, words: list[str], port: int, stdin: Any = subprocess.DEVNULL) -> bytes:
    command = [tool(name, PACKAGES[name]), *[word.replace("PORT", str(port)) for word in words]]
    return subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, timeout=60, check=False).stdout


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


@pytest.mark.parametrize("name", SENDERS)
def test_20_mb_from_their_client(name: str, large: Path) -> None:
    with large.open("rb") as stdin, listening() as listener:
        run_tool(name, SENDERS[name], listener.port, stdin)
        code, shown = listener.wait()
    assert code == 0
    assert shown == LARGE


@pytest.mark.parametrize("name", RECEIVERS)
def test_20_mb_to_their_client(name: str, large: Path) -> None:
    with large.open("rb") as stdin, listening(stdin=stdin) as listener:
        assert run_tool(name, RECEIVERS[name], listener.port) == LARGE
        assert listener.wait() == (0, b"")


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_both_ways_at_once(name: str, large: Path) -> None:
    with large.open("rb") as there, large.open("rb") as back, listening(stdin=there) as listener:
        assert run_tool(name, BOTH_WAYS[name], listener.port, back) == LARGE
        code, shown = listener.wait()
    assert code == 0
    assert shown == LARGE


def test_with_connect_at_the_other_end(large: Path) -> None:
    with large.open("rb") as stdin, listening(stdin=stdin) as listener:
        done = sockctl("connect", f"localhost:{listener.port}", stdin=DATA)
        assert (done.returncode, done.stdout) == (0, LARGE)
        assert listener.wait() == (0, DATA)


def test_the_end_of_the_input_half_closes() -> None:
    with listening(**piped()) as listener, listener.client() as client:
        listener.input.write(b"question")
        listener.input.close()
        assert receive_all(client) == b"question"
        client.sendall(b"answer")
        wait_until(lambda: listener.shown == b"answer")
        client.close()
        assert listener.wait() == (0, b"answer")


def test_a_client_that_has_ended_its_side_still_gets_the_input() -> None:
    with listening("--quit-after", "60", **piped()) as listener, listener.client() as client:
        send_and_half_close(client, b"question")
        wait_until(lambda: listener.shown == b"question")
        for piece in (b"the ", b"answer"):
            listener.input.write(piece)
            listener.input.flush()
            assert receive_exactly(client, len(piece)) == piece
        listener.input.close()
        assert client.recv(10) == b""
        assert listener.wait() == (0, b"question")


def test_an_input_that_pauses_is_over_for_a_client_that_has_ended() -> None:
    with listening("--quit-after", "0.1", **piped()) as listener:
        with listener.client() as client:
            send_and_half_close(client, b"all")
        assert listener.wait() == (0, b"all")


def test_the_null_device_sends_no_end() -> None:
    with listening() as listener, listener.client() as client:
        client.sendall(b"first ")
        wait_until(lambda: listener.shown == b"first ")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(TIMEOUT_S)
        client.sendall(b"last")
        client.close()
        assert listener.wait() == (0, b"first last")


def test_further_clients_are_refused() -> None:
    with listening(**piped()) as listener, listener.client() as client:
        client.sendall(b"first")
        wait_until(lambda: listener.shown == b"first")
        with pytest.raises(ConnectionRefusedError):
            listener.client()


def test_keep_open_takes_the_next_client() -> None:
    with listening("--keep-open") as listener:
        for word in (b"one ", b"two ", b"three"):
            with listener.client() as client:
                client.sendall(word)
        wait_until(lambda: listener.shown == b"one two three")
        assert listener.run.end(signal.SIGINT) == 130


def test_keep_open_shares_the_input_out() -> None:
    place = r"(\d+)\. socket\(\) made"
    with listening("-k", "--quit-after", "0", "-v", place=place, **piped()) as listener:
        for word in (b"one", b"two"):
            with listener.client() as client:
                listener.input.write(word)
                listener.input.flush()
                assert receive_exactly(client, 3) == word
            listener.run.wait_for("disconnected")  # else it may get the next word
        listener.input.close()
        with listener.client() as client:
            assert receive_all(client) == b""
        assert listener.run.end() == 130


def test_clients_that_reset_dont_end_keep_open() -> None:
    with listening("--keep-open") as listener:
        for _ in range(3):
            reset(listener.client())
        client = listener.client()
        client.sendall(b"half ")
        wait_until(lambda: listener.shown == b"half ")
        reset(client)
        listener.run.wait_for(r"sockctl: Client #4 \(127.*\): The connection broke")
        with listener.client() as client:
            client.sendall(b"whole")
        wait_until(lambda: listener.shown == b"half whole")


def test_a_client_that_resets_is_the_end() -> None:
    with listening() as listener:
        client = listener.client()
        client.sendall(b"half")
        wait_until(lambda: listener.shown == b"half")
        reset(client)
        assert listener.wait() == (7, b"half")
    assert "The connection broke (Connection reset by peer)" in listener.run.lines[-1]


def test_a_client_that_leaves_before_it_has_all() -> None:
    with open("/dev/zero", "rb") as stdin, listening(stdin=stdin) as listener:  # noqa: PTH123  it never ends
        with listener.client() as client:
            client.recv(10)
        assert listener.wait()[0] == 7


def test_many_at_once_get_the_input_and_are_marked() -> None:
    with listening("--many", **piped()) as listener, listener.client() as one, listener.client() as two:
        one.sendall(b"a1\nhalf ")
        wait_until(lambda: b"a1\n" in listener.shown)
        two.sendall(b"b1\n")
        wait_until(lambda: b"b1\n" in listener.shown)
        one.sendall(b"line\nopen")
        wait_until(lambda: b"line\n" in listener.shown)
        listener.input.write(b"to all")
        listener.input.close()
        assert receive_all(one) == receive_all(two) == b"to all"
        one.close()
        wait_until(lambda: b"open\n" in listener.shown)
        with listener.client() as third:  # after the input's end
            assert receive_all(third) == b""
        listener.run.process.send_signal(signal.SIGINT)
        code, shown = listener.wait()
    assert code == 130
    first, second = b"#1", b"#2"
    if shown.startswith(b"#2"):
        first, second = second, first
    lines = [b"%b a1", b"%b b1", b"%b half line", b"%b open"]
    assert shown.split(b"\n")[:-1] == [line % (second if b"b1" in line else first) for line in lines]


def test_more_clients_than_descriptors_wait() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (RESERVE + 3, RESERVE + 3))

    with (
        listening("--many", **piped(), preexec_fn=limit) as listener,
        contextlib.ExitStack() as clients,
    ):
        first, *_, last = (clients.enter_context(listener.client()) for _ in range(RESERVE + 10))
        last.sendall(b"last\n")
        first.sendall(b"first\n")
        wait_until(lambda: listener.shown == b"#1 first\n")
        listener.run.process.send_signal(signal.SIGINT)
        assert listener.wait() == (130, b"#1 first\n")


def test_json_names_the_client() -> None:
    with listening("--many", "--json", place=r'"listening".*"host": "127.0.0.1", "port": (\d+)') as listener:
        with listener.client() as client:
            client.sendall(b"hello\n")
        wait_until(lambda: bool(listener.shown))
        assert json.loads(listener.shown) == {"client": 1, "text": "hello"}


def test_json_shows_a_last_line_without_an_end() -> None:
    with listening("--many", "--json", place=r'"listening".*"host": "127.0.0.1", "port": (\d+)') as listener:
        client = listener.client()
        client.sendall(b"hello\nlast")
        wait_until(lambda: listener.shown.count(b"\n") == 1)
        reset(client)
        wait_until(lambda: listener.shown.endswith(b'\n{"client": 1, "text": "last"}\n'))


def test_the_slowest_of_many_sets_the_pace(large: Path) -> None:
    with (
        large.open("rb") as stdin,
        listening("--many", stdin=stdin) as listener,
        listener.client() as slow,
        listener.client() as quick,
    ):
        quick.settimeout(0.5)
        with pytest.raises(TimeoutError):
            receive_exactly(quick, len(LARGE))  # the input waits for the other one
        reset(slow)
        quick.settimeout(TIMEOUT_S)
        receive_all(quick)
        assert stdin.tell() == len(LARGE)


def test_a_script_for_each_client() -> None:
    steps = ("--expect", "^GET (/.*) HTTP", "--send", "HTTP/1.0 200 OK", "--send", "", "--send", "hello", "--crlf")
    with listening("--keep-open", *steps) as listener:
        for _ in range(2):
            found = subprocess.run(
                [tool("curl", "curl"), "-s", f"http://127.0.0.1:{listener.port}/"],
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert found.stdout == b"hello\r\n"


@pytest.mark.parametrize(
    ("options", "sent", "code", "said"),
    [
        (["--expect", "hello"], b"hello\n", 0, ""),
        (["--expect", "hello"], b"goodbye\n", 6, "'hello' was not found before the client ended the connection"),
        (["--count", "2"], b"a\nb\nc\n", 0, ""),
        (["--count", "4"], b"a\nb\nc\n", 6, "1 short of the 4"),
    ],
)
def test_expectations(options: list[str], sent: bytes, code: int, said: str) -> None:
    with listening(*options) as listener, listener.client() as client:
        send_and_half_close(client, sent)
        receive_all(client)
        assert listener.wait()[0] == code
        assert said in "\n".join(listener.run.lines)


def test_a_script_answers_a_client_that_has_ended_its_side(tmp_path: Path) -> None:
    (tmp_path / "steps").write_text("expect question\nwait\nsend answer\n")
    with listening("--script", str(tmp_path / "steps")) as listener, listener.client() as client:
        send_and_half_close(client, b"question")  # without the end of a line
        assert receive_all(client) == b"answer\n"
        assert listener.wait() == (0, b"question")


@pytest.mark.parametrize(
    ("host", "said"), [("127.0.0.1", b"on 127.0.0.1:"), ("::1", b"on [::1]:"), ("[::1]", b"on [::1]:")]
)
def test_host_and_port_may_stand_apart(host: str, said: bytes) -> None:
    done = sockctl("listen", host, "0", "--timeout", "0.01")
    assert done.returncode == 5
    assert said in done.stderr


def test_no_client_in_time() -> None:
    done = sockctl("listen", "0", "--timeout", "0.2")
    assert done.returncode == 5
    assert b"No client came within 0.2 s (--timeout)" in done.stderr


def test_an_idle_client() -> None:
    with listening("--idle-timeout", "2", **piped()) as listener, listener.client() as client:
        client.sendall(b"a")
        assert listener.wait() == (5, b"a")


def test_refused_clients_are_told_and_dont_count() -> None:
    with listening("--allow", "192.0.2.0/24", "--allow", "::1") as listener:
        with listener.client() as client:
            assert client.recv(1) == b""
        listener.run.wait_for("127.0.0.1:.* was refused: the --allow and --deny rules")
        with socket.create_connection(("::1", listener.port), TIMEOUT_S) as client:
            client.sendall(b"let in")
        assert listener.wait() == (0, b"let in")


def test_deny() -> None:
    with listening("--deny", "127.0.0.0/8") as listener:
        with listener.client() as client:
            assert client.recv(1) == b""
        listener.run.wait_for("was refused")


def test_hex_recv_only_and_a_transcript(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with listening("--hex", "--recv-only", "--output", str(kept), **piped()) as listener, listener.client() as client:
        client.sendall(b"abc\n")
        client.close()
        assert listener.wait() == (0, b"< 00000000  61 62 63 0a                                       |abc.|\n")
    assert kept.read_bytes() == b"abc\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_send_only() -> None:
    with listening("--send-only", **piped()) as listener, listener.client() as client:
        client.sendall(b"not shown")
        listener.input.write(b"sent")
        listener.input.close()
        assert receive_all(client) == b"sent"
        client.close()
        assert listener.wait() == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write to")
@pytest.mark.parametrize("options", [["--output", "/dev/full"], ["--keep-open", "--output", "/dev/full"]])
def test_a_full_disk_ends_it(options: list[str]) -> None:
    with listening(*options) as listener, listener.client() as client:
        client.sendall(b"abc")
        assert listener.wait()[0] == 1
        assert "/dev/full can't be written: No space left on device" in listener.run.lines[-1]


def test_a_closed_output_ends_it() -> None:
    with process("listen", "0", "--keep-open", "--timeout", "60") as run:
        port = int(run.wait_for(r"127\.0\.0\.1:(\d+)", timeout_s=START_S)[1])
        assert run.process.stdout is not None
        run.process.stdout.close()
        with connect(port, "127.0.0.1") as client:
            client.sendall(b"abc")
            assert run.process.wait(TIMEOUT_S) == 0  # the reader has enough


def test_verbose_tells_the_events_of_a_listener() -> None:
    with listening("-v", place=r"(\d+)\. socket\(\) made") as listener:
        with listener.client() as client:
            client.sendall(b"abc")
        assert listener.wait() == (0, b"abc")
    lines = listener.run.lines
    assert any("client_connected    #1 127.0.0.1" in line for line in lines)
    assert any("data_received       #1 Received 3 bytes" in line for line in lines)
    assert "#1 The client ended the connection" in lines[-1]
    assert "the FIN of the client came" in lines[-1]


def test_json_events_have_the_words_of_a_listener() -> None:
    with listening("-v", "--json", place=r'"host": "127.0.0.1", "port": (\d+)', **piped()) as listener:
        with listener.client() as client:
            client.sendall(b"abc\n")
            listener.input.close()
            receive_all(client)
        assert listener.wait() == (0, b'{"text": "abc"}\n')
    last = json.loads(listener.run.lines[-1])
    assert (last["event"], last["service"], last["connection"], last["reason"]) == (
        *("disconnected", "listen", 1),
        "client_closed",
    )
    assert "told the client (FIN)" in "\n".join(listener.run.lines)


def test_quiet_tells_nothing() -> None:
    port = free_port()
    with process("listen", str(port), "-q", "--timeout", "60") as run:
        wait_until(lambda: listens(port), timeout_s=START_S)
        assert run.wait() == 0
        assert run.lines == []


def test_a_taken_port() -> None:
    with listening() as first:
        for where in (str(first.port), f"127.0.0.1:{first.port}"):
            done = sockctl("listen", where)
            assert done.returncode == 1
            assert f"Port {first.port} is taken on 127.0.0.1".encode() in done.stderr
            assert b"another PORT (0 takes any free one)" in done.stderr


def test_a_taken_port_that_nobody_has_given() -> None:
    with contextlib.ExitStack() as stack:

        def take() -> bool:
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", DEFAULT_PORT)))
                return True
            return False

        with contextlib.suppress(AssertionError):  # another program has it, and keeps it; another test soon ends
            wait_until(take)
        done = sockctl("listen", "--no-input", "--timeout", "0.01")
        assert done.returncode == 5
        assert re.search(rb"Listening on 127\.0\.0\.1:9\d\d\d .*\(port 9090 is taken\)", done.stderr)
        done = sockctl("listen", "--no-input", "--strict-port")
        assert done.returncode == 1
        assert b"Port 9090 is taken" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["99999"], "not a port"),
        (["udp://9090"], "has a scheme"),
        ([":9090"], "host is empty"),
        (["::1"], "'::1' is not a port"),
        (["unix:/a", "--unix", "/b"], "two Unix sockets"),
        (["unix:/a", "9090"], "has no port: leave '9090' out"),
        (["localhost:9090", "9091"], "The port is given twice, in 'localhost:9090' and as '9091'"),
        (["./u.sock"], "'./u.sock' looks like a Unix socket, not a host: write unix:./u.sock"),
        (["9090", "9091"], "'9090' looks like a port, not a host"),
        (["localhost", "99999"], "not a port"),
        (["--keep-open", "--many"], "exclude each other"),
        (["--many", "--output", "x"], "exclude each other"),
        (["9090", "--allow", "nowhere"], "not an address or a network"),
        (["9090", "--recv-only", "--send", "a"], "exclude each other"),
        (["9090", "--tls-client-ca", "x"], "add --tls"),
        (["9090", "--unix-mode", "0600"], "add --unix PATH"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    done = sockctl("listen", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.decode().split())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell who has connected")
@pytest.mark.parametrize("form", ["unix:{}", "--unix={}"])
def test_a_unix_socket(form: str, tmp_path: Path, large: Path) -> None:
    path = tmp_path / "s"
    user = ("--allow", f"uid:{os.geteuid()}", "--unix-mode", "0660")
    with listening(*user, where=form.format(path), place="Listening on unix:()") as listener:
        assert path.stat().st_mode & 0o777 == 0o660
        with large.open("rb") as stdin:
            run_tool("ncat", ["--send-only", "-U", str(path)], 0, stdin)
        code, shown = listener.wait()
    assert code == 0
    assert shown == LARGE
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell who has connected")
def test_a_signal_removes_the_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(where=f"unix:{path}", place="Listening on unix:()") as listener:
        assert listener.run.end(signal.SIGTERM) == 130
    assert not path.exists()


def test_tls_with_openssl(tmp_path: Path) -> None:
    with listening("--tls", "--recv-only", "--data-dir", str(tmp_path)) as listener:
        assert "Its certificate has SHA256" in listener.run.lines[-1]
        command = [tool("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{listener.port}"]
        with subprocess.Popen(
            [*command, "-nocommands", "-no_ign_eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdin is not None
            client.stdin.write(DATA)
            client.stdin.flush()
            wait_until(lambda: len(listener.shown) == len(DATA))
            client.stdin.close()
            client.wait(TIMEOUT_S)
        assert listener.wait() == (0, DATA)


def test_a_client_without_tls_doesnt_count(tmp_path: Path) -> None:
    with listening("--tls", "--data-dir", str(tmp_path), **piped()) as listener:
        with listener.client() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            listener.run.wait_for("tls_failed .*The TLS handshake failed")
        silent = listener.client()  # keeps nobody out
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(listener.client()) as client:
            client.sendall(b"secret")
            listener.input.write(DATA)
            listener.input.close()
            received = b""
            while len(received) < len(DATA):
                received += client.recv(65_536)
            assert received == DATA
        assert listener.wait()[1] == b"secret"
        silent.close()


def test_the_certificates_of_both_sides(tmp_path: Path) -> None:
    own, key = self_signed(tmp_path)
    shown, shown_key = self_signed(tmp_path, "client")
    files = ("--tls-cert", str(own), "--tls-key", str(key), "--tls-client-ca", str(shown))
    with listening(*files) as listener:
        target = [f"tls://localhost:{listener.port}", "--ca", str(own)]
        sockctl("connect", *target, stdin=b"a stranger")
        listener.run.wait_for("tls_failed")
        done = sockctl("connect", *target, "--cert", str(shown), "--key", str(shown_key), stdin=b"known")
        assert done.returncode == 0
        assert listener.wait() == (0, b"known")


def test_each_read_is_told_as_large_as_it_may_be() -> None:
    place = r"Listening on 127\.0\.0\.1:(\d+)\.$"
    with listening("-v", "--explain", "never", "--read-size", "100", place=place) as listener:
        with listener.client() as client:
            client.sendall(bytes(250))
        assert listener.wait() == (0, bytes(250))
    assert sum("data_received" in line for line in listener.run.lines) == 3


def test_no_input_takes_the_usual_port() -> None:
    done = sockctl("listen", "--no-input", "--timeout", "0.01")
    assert done.returncode == 5
    assert re.search(rb"Listening on 127\.0\.0\.1:9[01]\d\d", done.stderr)  # or one of the next ones, if that is taken
