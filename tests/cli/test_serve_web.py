"""`--web`: the page's address, names, refusals, and Autobahn's cases against the echo."""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import TIMEOUT_S, UNMEASURED, Process, connect, free_port, process, sockctl, wait_until
from tests.support.web import make_request, open_websocket, receive_answer

WEB_ECHO = ("serve", "echo", "--port", "0", "--web", "0", "--no-input")


@pytest.fixture
def echo() -> Iterator[Process]:
    with process(*WEB_ECHO, "--log-format", "json") as run:
        yield run


def find_port(run: Process) -> int:
    url: str = run.event("page_served")["url"]
    assert url.startswith("http://127.0.0.1:")
    return int(url.rstrip("/").rpartition(":")[2])


def test_the_page_and_its_files_are_served(echo: Process) -> None:
    port = find_port(echo)
    with connect(port, "127.0.0.1") as sock:
        found = {}
        for path in ("/", "/echo.js", "/echo.css", "/icon.svg"):
            sock.sendall(make_request(path))
            found[path] = receive_answer(sock)
        assert {path: answer.status for path, answer in found.items()} == dict.fromkeys(found, 200)
        assert found["/icon.svg"].headers["content-type"] == "image/svg+xml"
        assert b"sockctl serve echo" in found["/"].body
        assert not any(b"http://" in answer.body.replace(b"http://www.w3.org", b"") for answer in found.values())
    with socket.create_connection(("::1", port), TIMEOUT_S) as sock:
        client = open_websocket(sock, host=f"[::1]:{port}")
        client.send(b"hello")
        assert client.receive() == (1, b"hello")


def test_a_terminal_reads_the_address() -> None:
    with process(*WEB_ECHO) as run:
        run.wait_for(r"For a browser: http://127\.0\.0\.1:\d+/$")
        assert run.end() == 0


def test_a_log_file_leaves_the_address_on_the_terminal(tmp_path: Path) -> None:
    with process(*WEB_ECHO, "--log-file", str(tmp_path / "log")) as run:
        assert "The page is at http://127.0.0.1:" in run.wait_for("Listening.*")[0]


def test_a_quiet_server_still_tells_programs_the_address() -> None:
    with process(*WEB_ECHO, "-q", "--log-format", "json") as run:
        assert find_port(run)
        assert run.events.count("listening") >= 2


def test_what_is_for_browsers_is_told_and_watched() -> None:
    with process(*WEB_ECHO, "--log-format", "json", "-v") as run:
        run.event("page_served")
        run.event("control_opened")
        places = [event for event in map(json.loads, run.lines) if event["event"] == "listening"]
        assert [place["for_browsers"] for place in places] == [False, False, True, True]
        watched = sockctl("watch", str(places[2]["port"]), "--once", "--interval", "0.1")
    own, web = (places[at]["port"] for at in (0, 2))
    assert watched.stdout.decode().split("\n")[:2] == [
        f"server\techo-{own} at 127.0.0.1:{own}, [::1]:{own}",
        f"for browsers\t127.0.0.1:{web}, [::1]:{web}",
    ]


def test_a_name_is_shown_and_answered() -> None:
    with process(*WEB_ECHO, "--web-name", "Chat.example", "--log-format", "json") as run:
        url = run.event("page_served")["url"]
        assert url.startswith("http://chat.example:")
        port = find_port(run)
        with connect(port, "127.0.0.1") as sock:
            sock.sendall(make_request(host=f"chat.example:{port}"))
            assert receive_answer(sock).status == 200


def test_over_tls_the_page_is_https(tmp_path: Path) -> None:
    with process(*WEB_ECHO, "--tls", "--data-dir", str(tmp_path), "--log-format", "json") as run:
        url = run.event("page_served")["url"]
        assert url.startswith("https://127.0.0.1:")
        port = int(url.rstrip("/").rpartition(":")[2])
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with connect(port, "127.0.0.1") as plain, context.wrap_socket(plain) as sock:
            sock.sendall(make_request(host=f"127.0.0.1:{port}"))
            assert f"wss://127.0.0.1:{port};" in receive_answer(sock).headers["content-security-policy"]
            client = open_websocket(sock, f"Origin: https://127.0.0.1:{port}", host=f"127.0.0.1:{port}")
            client.send(b"secret")
            assert client.receive() == (1, b"secret")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--web-name", "a.example"], "add --web PORT"),
        (["--open"], "add --web PORT"),
        (["--web", "0", "--web-name", "http://a/"], "'http://a/' is no host name"),
        (["--web", "0", "--web-name", "a.example:80"], "without a port"),
        (["--web", "70000"], "70000"),
        (["--port", "9390", "--web", "9390"], "--port and --web are the same port, 9390"),
        (["--web", "9390", "--metrics", "9390"], "--web and --metrics are the same port, 9390"),
    ],
)
def test_wrong_options_are_explained(arguments: list[str], words: str) -> None:
    ended = sockctl("serve", "echo", "--port", "0", "--no-input", *arguments)
    assert ended.returncode == 2
    assert words in " ".join(ended.stderr.decode().split())


def test_a_taken_port_moves_or_fails() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = sockctl("serve", "echo", "--port", "0", "--web", port, "--strict-port", "--no-input")
        assert ended.returncode == 1
        said = ended.stderr.decode()
        assert f"Port {port} is taken" in said
        assert "choose another --web " in said


def test_without_the_libraries_an_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "h11.py").write_text("raise ModuleNotFoundError(\"No module named 'h11'\", name='h11')")
    command = [sys.executable, "-m", "sockctl", *WEB_ECHO]
    ended = subprocess.run(
        command, capture_output=True, env={**UNMEASURED, "PYTHONPATH": str(tmp_path)}, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert b"--web needs the library h11, which isn't installed: " in ended.stderr
    assert b"'sockctl[web]' brings it." in ended.stderr


@pytest.mark.parametrize("more", [[], ["--web", "0"]])
def test_the_libraries_are_loaded_with_web_only(more: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "sockctl", "serve", "echo", "--port", "0", "--no-input", *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=UNMEASURED) as run:
        assert run.stderr is not None
        lines: list[bytes] = []
        while b"Listening" not in (line := run.stderr.readline()):
            assert line, lines
            lines.append(line)
        run.terminate()
        loaded = {line.rpartition(b"|")[2].strip() for line in [*lines, *run.stderr]}
    assert b"sockctl.net.server" in loaded
    assert bool(more) == (b"h11" in loaded) == (b"websockets" in loaded)


def test_autobahns_cases(tmp_path: Path) -> None:
    """Run kosoku, without the cases about compression, which isn't offered."""
    port = free_port()
    kosoku = Path(sys.executable).parent / "kosoku"
    with process("serve", "echo", "--port", "0", "--web", str(port), "--no-input", "-q") as run:
        run.wait_for("Listening")
        ended = subprocess.run(
            [kosoku, f"127.0.0.1:{port}", "-x", "12.*", "-x", "13.*", "-o", tmp_path],
            capture_output=True,
            timeout=110,
            check=False,
        )
        assert run.end() == 0
    reports = [json.loads(file.read_text()) for file in tmp_path.glob("*_case_*.json")]
    assert len(reports) == 301
    bad = {one["id"]: (one["behavior"], one["behaviorClose"]) for one in reports if one["behavior"] == "FAILED"}
    assert not bad, ended.stdout.decode()
    assert b"0 of 301" in ended.stdout or b"failed" not in ended.stdout, ended.stdout.decode()


def test_open_opens_the_page_in_the_browser(tmp_path: Path) -> None:
    """The desktop's own command is asked, here a script that notes what it got."""
    opener, noted = tmp_path / "xdg-open", tmp_path / "noted"
    opener.write_text(f'#!/bin/sh\necho "$1" > {noted}.new && mv {noted}.new {noted}\n')
    opener.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with process(*WEB_ECHO, "--open", "--log-format", "json", env={**os.environ, "PATH": path}) as run:
        port = find_port(run)
        wait_until(noted.exists)
        assert noted.read_text() == f"http://127.0.0.1:{port}/\n"
