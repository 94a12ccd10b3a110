"""The chat's page on several nodes: it goes on at another one when its own is killed, or stops."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import ChatPage
from tests.support.cluster_nodes import ChatNode, start_all
from tests.support.engines import DURABLE, redis_server
from tests.support.running import connect, free_port, wait_until
from tests.support.web import make_request, receive_answer

LINES = 12


class WebNode(ChatNode):
    """A node with a page, which it advertises under a name of its own."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.web = free_port()
        self.page = f"http://{name}.example:{self.web}/"
        super().__init__(folder, name, url, more=["--web", str(self.web), "--advertise", self.page])

    def knows(self, other: "WebNode") -> bool:
        """Return whether the policy of its page lets the page open a WebSocket at another node."""
        try:
            with connect(self.web, "127.0.0.1") as sock:
                sock.sendall(make_request("/", host=f"{self.name}.example:{self.web}"))
                policy = receive_answer(sock).headers["content-security-policy"]
        except ConnectionRefusedError:
            return False  # it listens for its members, and not yet for pages
        places = " ".join(f"ws://{each.name}.example:{each.web}" for each in (self, other))
        return f"connect-src 'self' {places};" in policy


@contextlib.contextmanager
def two_nodes(folder: Path) -> Iterator[tuple[WebNode, WebNode]]:
    (folder / "engine").mkdir()
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(redis_server(folder / "engine", *DURABLE))
        one, two = (WebNode(folder, name, f"redis://127.0.0.1:{engine.port}") for name in ("one", "two"))
        start_all([one, two], stack)
        yield one, two


def follow(page: ChatPage, node: WebNode) -> None:
    """Wait until a page has gone on at a node, and is let in there."""
    drawn = "new Promise(requestAnimationFrame)"

    def has_gone_on() -> bool:
        page.page.evaluate(drawn)
        return page.requests[-1].startswith(f"ws://{node.name}.example:{node.web}/")

    wait_until(has_gone_on, what=f"that the page has gone on at {node.name}")
    page.page.evaluate(drawn)  # before, the button may still be that of the connection that was lost
    expect(page.page.get_by_role("button", name="Send")).to_be_enabled()


def talk(pages: list[ChatPage], mark: str) -> list[str]:
    """Let pages talk in turns, each line once the last one has come back; return what was said."""
    said = []
    for number in range(LINES):
        speaker = pages[number % len(pages)]
        text = f"{mark} {number}"
        speaker.say(text)
        expect(speaker.row(text)).to_be_visible()
        said.append(text)
    return said


@pytest.mark.timeout(300)
def test_pages_outlive_a_killed_node_and_one_that_stops(browser: Browser, tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (one, two):
        wait_until(lambda: one.knows(two) and two.knows(one))
        ann = ChatPage(browser.new_page(), one.page).open().log_in("ann")
        bob = ChatPage(browser.new_page(), two.page).open().log_in("bob")
        said = talk([ann, bob], "both")
        one.kill()
        for number in range(LINES):
            text = f"ann is away {number}"
            bob.say(text)
            said.append(text)
        expect(ann.row(said[-1])).to_be_visible()
        said += talk([ann, bob], "at two")
        one.start()
        assert two.terminate() == 0
        for page in (ann, bob):
            follow(page, one)
        said += talk([bob, ann], "at one")
        for page in (ann, bob):
            expect(page.row(said[-1])).to_be_visible()
            assert page.said == said
            known = {f"{name}.example:{port}" for name, port in (("one", one.web), ("two", two.web))}
            assert {url.split("/")[2] for url in page.requests} <= known
            assert not [each for each in page.complaints if "ERR_CONNECTION" not in each]
            page.page.close()
