"""`serve chat --web` as a process: browsers, killed servers, encryption, and what is refused at the start."""

import signal
from pathlib import Path

from playwright.sync_api import expect

from tests.support.accounts import accounts_at
from tests.support.browser import ChatPage, browsing
from tests.support.running import connect, free_port, process, receive_exactly, sockctl
from tests.support.web import WebClient, open_websocket

expect.set_options(timeout=20_000)


def enter(client: WebClient, name: str) -> None:
    client.say("hello")
    assert client.hear()["field"] == "name"
    client.say("answer", name, field="name")
    while client.hear()["kind"] != "members":
        pass


def test_a_websocket_and_nc_talk(tmp_path: Path) -> None:
    with process("serve", "chat", "--port", "0", "--web", "0", "--no-input", "--data-dir", str(tmp_path)) as run:
        own = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)")[1])
        web = int(run.wait_for(r"For a browser: http://127\.0\.0\.1:(\d+)/")[1])
        with connect(web, "127.0.0.1") as sock, connect(own, "127.0.0.1") as nc:
            client = open_websocket(sock)
            enter(client, "ann")
            nc.sendall(b"bob\nhello\n")
            while (one := client.hear())["kind"] != "say":
                pass
            assert (one["text"], one["sender"], one["room"]) == ("hello", "bob", "#lobby")
            client.say("line", "hi")
            heard = b""
            while b"<ann> hi" not in heard:
                heard += receive_exactly(nc, 1)
            run.process.send_signal(signal.SIGTERM)
            while (one := client.hear())["kind"] != "bye":
                pass
            assert one["reason"] == "server_stopping"
            assert client.hear_close() == 1001


def test_a_page_outlives_a_killed_server(tmp_path: Path) -> None:
    own, web = free_port(), free_port()
    command = [
        "serve",
        "chat",
        "--port",
        str(own),
        "--web",
        str(web),
        "--strict-port",
        "--no-input",
        "--no-flood-limit",
    ]
    with browsing() as browser:
        page = ChatPage(browser.new_page(), f"http://127.0.0.1:{web}/")
        said = []
        for turn in range(3):
            with process(*command, "--data-dir", str(tmp_path)) as run:
                run.wait_for("For a browser")
                if not turn:
                    page.open().log_in("ann")
                with connect(own, "127.0.0.1") as nc:
                    nc.sendall(f"bob{turn}\nfrom bob, {turn}\n".encode())
                    expect(page.row(f"from bob, {turn}")).to_be_visible(timeout=60_000)  # the page pauses between tries
                    page.say(f"from ann, {turn}")
                    expect(page.row(f"from ann, {turn}")).to_be_visible()
                    said += [f"from bob, {turn}", f"from ann, {turn}"]
                expect(page.log.locator("p.said .text")).to_have_text(said)
                run.end(signal.SIGKILL)
        assert all(url.split("/")[2] == f"127.0.0.1:{web}" for url in page.requests)


def test_a_browser_complains_of_nothing_under_any_name(tmp_path: Path) -> None:
    command = ["serve", "chat", "--port", "0", "--web", "0", "--web-name", "chat.example", "--no-input"]
    with process(*command, "--data-dir", str(tmp_path)) as run, browsing() as browser:
        port = run.wait_for(r"For a browser: http://chat\.example:(\d+)/")[1]
        for name, host in (("ann", "[::1]"), ("bob", "localhost"), ("cem", "chat.example")):
            page = ChatPage(browser.new_page(), f"http://{host}:{port}/").open().log_in(name)
            page.say(f"hello from {host}")
            expect(page.row(f"hello from {host}")).to_be_visible()
            assert not page.complaints


def test_over_tls_users_log_in_beyond_loopback(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    refused = sockctl(
        *("serve", "chat", "--host", "0.0.0.0", "--port", "0", "--web", "0", "--auth", "--no-input"),  # noqa: S104
        *("--data-dir", str(tmp_path)),
    )
    assert refused.returncode == 2
    assert b"add --tls" in refused.stderr
    command = ["serve", "chat", "--port", "0", "--web", "0", "--auth", "--tls", "--no-input", "--log-format", "json"]
    with process(*command, "--data-dir", str(tmp_path)) as run, browsing() as browser:
        url = run.event("page_served")["url"]
        assert url.startswith("https://127.0.0.1:")
        context = browser.new_context(ignore_https_errors=True)
        page = ChatPage(context.new_page(), url).open().log_in("ann", "tall copper window frog")
        page.say("encrypted")
        expect(page.row("encrypted")).to_be_visible()
        page.page.reload()
        expect(page.row("encrypted")).to_have_count(1)
        assert any(one.startswith("wss://") for one in page.requests)
        assert not page.complaints
        context.close()
