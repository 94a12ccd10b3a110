"""How a chat ends WebSockets, and what its page does then."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from sockctl.services.chat.reasons import ENGINE_AWAY
from tests.support.browser import ChatPage, WebChat
from tests.support.chat_client import client
from tests.support.running import connect
from tests.support.web import WebClient, open_websocket

NOTES_TRIES = """
    window.tries = [];
    window.WebSocket = class extends WebSocket {
        constructor(...all) {
            tries.push(Date.now());
            super(...all);
        }
    };"""
"""Notes when the page opens a WebSocket."""
Tab = Callable[[], ChatPage]


@contextlib.contextmanager
def member(chat: WebChat, **login: object) -> Iterator[tuple[WebClient, str]]:
    """Let a WebSocket client in; yield it with its token."""
    with connect(chat.ports[1], "127.0.0.1") as sock:
        one = open_websocket(sock)
        one.say("hello")
        one.say(**{"kind": "answer", "field": "name", "text": "ann", **login})  # type: ignore[arg-type]
        token = ""
        while (heard := one.hear())["kind"] != "members":
            token = heard["token"] if heard["kind"] == "token" else token
        yield one, token


@pytest.mark.parametrize(("command", "reason", "code"), [("/kick ann", "kicked", 4001), ("/ban ann", "banned", 4002)])
def test_a_member_is_put_out_with_a_code(chat: WebChat, command: str, reason: str, code: int) -> None:
    with member(chat) as (ann, _):
        chat.operate(command)
        while (heard := ann.hear())["kind"] != "bye":
            pass
        assert heard["reason"] == reason
        assert ann.hear_close() == code


def test_a_connection_that_is_taken_over_is_told_so(chat: WebChat) -> None:
    with member(chat) as (ann, token), member(chat, kind="resume", token=token, name="ann"):
        assert ann.hear_close() == 4003


def test_a_server_without_its_engine_says_that_it_is_busy() -> None:
    assert ENGINE_AWAY.close_code == 1013


def test_a_page_that_is_taken_over_stays_away(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    token = page.page.evaluate("JSON.parse(sessionStorage.getItem('sockctl-session')).token")
    with client(chat.run) as ann:
        ann.resume(token)
        ann.until("members")
        expect(page.page.get_by_role("status").filter(has_text="another window now")).to_be_visible()
        expect(page.page.get_by_role("button", name="Come back")).to_be_visible()
        ann.nothing_but()


def test_a_page_tries_again_after_growing_pauses(context: BrowserContext, chat: WebChat) -> None:
    page = ChatPage(context.new_page(), chat.url)
    page.page.add_init_script(NOTES_TRIES)
    page.page.clock.install()
    page.open().log_in("ann")
    chat.stop()
    until = time.monotonic() + 60
    while len(tries := page.page.evaluate("tries")) < 10 and time.monotonic() < until:
        page.page.clock.run_for(500)
    gaps = [after - before for before, after in itertools.pairwise(tries[1:])]
    assert len(gaps) == 8
    for number, gap in enumerate(gaps, 1):
        pause = min(30_000, 500 * 2**number)
        assert gap >= 0.5 * pause
        assert gap <= 1.5 * pause + 20_000  # a try itself may take 15 s, and a busy machine looks later
    again = page.page.get_by_role("button", name="Try now")
    expect(again).to_be_visible()  # the last try has failed: it doesn't find the chat that starts now
    chat.start()
    again.click()
    expect(page.page.get_by_role("button", name="Send")).to_be_enabled()
    page.say("here again")
    expect(page.row("here again")).to_be_visible()
    page.page.close()


def test_the_page_has_no_cookies_and_obeys_its_policy(context: BrowserContext, chat: WebChat) -> None:
    page = ChatPage(context.new_page(), chat.url).open().log_in("ann")
    with page.page.expect_console_message():
        page.page.evaluate(
            "const one = document.createElement('script'); one.textContent = 'window.ran = true';"
            " document.body.append(one)"
        )
    assert page.page.evaluate("window.ran") is None
    assert "Content Security Policy" in page.complaints[0]
    assert context.cookies() == []
    page.page.close()


def test_reduced_motion_moves_nothing(tab: Tab) -> None:
    page = tab()
    page.page.emulate_media(reduced_motion="reduce")
    page.log_in("ann")
    moving = "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s')"
    assert page.page.evaluate(f"{moving}.length") == 0
    assert page.page.evaluate("document.getAnimations().length") == 0
