"""The chat's page in a browser, beside members over other wires."""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.browser import ChatPage, WebChat, web_chat
from tests.support.chat_client import client
from tests.support.running import wait_until

Tab = Callable[[], ChatPage]
KEEPS_BUSY = """ms => setTimeout(() => {
    for (const until = Date.now() + ms; Date.now() < until;);
})"""
"""Lets a page do nothing else for a while."""
OPENS = """url => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
})"""
"""Tells whether a page can open a WebSocket."""


def test_a_page_and_other_wires_share_a_room(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob, chat.run.client() as nc:
        bob.enter("bob")
        nc.sendall(b"carl\nhello from nc\n")
        expect(page.row("hello from nc")).to_be_visible()
        expect(page.members).to_have_count(4)
        page.say("hello all")
        bob.until("say", text="hello all", sender="ann")
        page.shows("hello from nc", "hello all")
        page.say("two\nlines")
        assert bob.until("say", sender="ann")["text"] == "two"
        assert bob.until("say", sender="ann")["text"] == "lines"
        page.say("/me waves")
        expect(page.row("waves")).to_have_class(re.compile("action"))


def test_markup_is_text(tab: Tab) -> None:
    page = tab().log_in("ann")
    evil = "<img src=x onerror=alert(1)><b>bold</b> &amp; ${1} <script>alert(2)</script>"
    page.say(evil)
    expect(page.row("onerror")).to_be_visible()
    assert page.said == [evil]
    page.say(f"/topic {evil}")
    expect(page.page.locator("header .topic")).to_have_text(evil)
    assert page.page.locator("img, .log script, .log b:not(.name)").count() == 0
    page.page.reload()
    expect(page.row("onerror")).to_be_visible()
    assert page.said == [evil]


def test_a_name_that_is_taken_is_asked_for_again(tab: Tab) -> None:
    page = tab()
    page.page.get_by_role("textbox", name="Name").fill("server")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("alert")).to_contain_text("server")
    page.log_in("ann")


def test_rooms_count_what_is_unread(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        bob.line("/join #games")
        page.say("/join #games")
        expect(page.page.locator("h1")).to_have_text("#games")
        page.go("#lobby")
        for text in ("one", "two", "Ann, three"):
            bob.line(text)
        games = page.rooms.filter(has_text="#games")
        expect(games).to_contain_text("3 unread, 1 mention")
        expect(page.page).to_have_title("(3!) #lobby | sockctl chat")
        page.page.keyboard.press("Alt+ArrowDown")
        expect(page.page.locator("h1")).to_have_text("#games")
        expect(page.log.locator(".line")).to_have_text("New since you looked away")
        assert page.log.locator("p").all_inner_texts().index("New since you looked away") == 0 or page.said
        expect(page.row("Ann, three")).to_have_class(re.compile("mention"))
        expect(page.page).to_have_title("#games | sockctl chat")
        expect(games).not_to_contain_text("unread")
        page.page.keyboard.press("Escape")
        expect(page.log.locator(".line")).to_have_count(0)
        page.page.keyboard.press("Alt+ArrowUp")
        expect(page.page.locator("h1")).to_have_text("#lobby")
        page.say("said in the lobby")
        assert bob.until("say", text="said in the lobby")["room"] == "#lobby"


def test_private_conversations_are_rooms_of_their_own(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        bob.line("/msg ann psst")
        expect(page.rooms.filter(has_text="bob")).to_contain_text("1 unread, 1 mention")
        page.go("bob")
        expect(page.row("psst")).to_be_visible()
        page.say("what?")
        assert bob.until("say", text="what?")["private"] is True
        expect(page.row("what?")).to_be_visible()
        page.page.reload()
        expect(page.row("what?")).to_be_visible()
        expect(page.row("psst")).to_be_visible()
        page.go("#lobby")
        expect(page.page.locator("h1")).to_have_text("#lobby")
        assert "psst" not in page.said
        page.members.filter(has_text="server").get_by_role("button").click()
        expect(page.page.locator("h1")).to_have_text("server")
        page.say("help!")
        wait_until(lambda: any(one.text == "help!" for one in chat.heard))


def test_history_is_scrolled_back_without_a_jump(tab: Tab, chat: WebChat) -> None:
    texts = [f"message {number} " + "word " * (number % 40) for number in range(90)]
    with client(chat.run) as bob:
        bob.enter("bob")
        for text in texts:
            bob.line(text)
        bob.until("say", text=texts[-1])
    page = tab().log_in("ann")
    expect(page.row("message 89 ")).to_be_visible()
    assert not any(text.startswith("message 0 ") for text in page.said)
    first = page.row("message 70 ")
    page.log.evaluate("log => { log.scrollTop = 100; }")
    before = first.bounding_box()
    page.shows(*texts)
    after = first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    expect(page.page.get_by_role("button", name="To the newest")).to_be_visible()
    page.log.evaluate("log => { log.scrollTop = 0; }")
    expect(page.log).to_contain_text("Nothing earlier is remembered.")
    with client(chat.run) as bob:
        bob.enter("bob")
        top = page.log.evaluate("log => log.scrollTop")
        bob.line("meanwhile")
        expect(page.row("meanwhile")).to_have_count(1)
        assert page.log.evaluate("log => log.scrollTop") == top
        page.page.get_by_role("button", name="To the newest").click()
        expect(page.row("meanwhile")).to_be_in_viewport()


def test_a_reload_comes_back_without_loss(tab: Tab) -> None:
    page = tab().log_in("ann")
    page.say("/join #games")
    expect(page.page.locator("h1")).to_have_text("#games")
    page.say("before")
    expect(page.row("before")).to_be_visible()
    page.page.reload()
    expect(page.row("before")).to_have_count(1)
    expect(page.rooms).to_have_count(2)
    page.say("after")
    expect(page.row("after")).to_have_count(1)
    assert page.said == ["before", "after"]


def test_a_server_that_starts_anew_is_found_again(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        for number in range(5):
            bob.line(f"before {number}")
        expect(page.row("before 4")).to_be_visible()
    chat.ports[0] = chat.run.port
    chat.stop()
    expect(page.page.get_by_role("status").filter(has_text="next try")).to_be_visible()
    chat.start()
    with client(chat.run) as bob:
        bob.enter("bob")
        for number in range(5):
            bob.line(f"after {number}")
        expect(page.row("after 4")).to_be_visible()
        page.say("I am back")
        bob.until("say", text="I am back", sender="ann")
    expect(page.row("I am back")).to_be_visible()
    assert page.said == [*(f"before {n}" for n in range(5)), *(f"after {n}" for n in range(5)), "I am back"]


def test_talk_during_a_loss_is_neither_lost_nor_repeated(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    page.say("before")
    expect(page.row("before")).to_be_visible()
    with client(chat.run) as bob:
        bob.enter("bob")
        page.page.context.set_offline(True)
        page.page.evaluate("dispatchEvent(new Event('offline'))")
        for number in range(30):
            bob.line(f"missed {number}")
        bob.until("say", text="missed 29")
        page.page.context.set_offline(False)
        page.page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.row("missed 29")).to_be_visible()
    assert page.said == ["before", *(f"missed {number}" for number in range(30))]


def test_two_tabs_of_guests_are_two_members_and_a_copy_takes_nothing_over(tab: Tab) -> None:
    page = tab().log_in("ann")
    kept = page.page.evaluate("sessionStorage.getItem('sockctl-session')")
    other = tab()
    other.page.get_by_role("textbox", name="Name").wait_for()  # it keeps nothing more now
    other.page.evaluate("kept => sessionStorage.setItem('sockctl-session', kept)", kept)
    page.page.evaluate(KEEPS_BUSY, 2_000)
    other.page.reload()  # as a duplicated tab begins
    other.log_in("zoe")
    page.say("still here")
    expect(other.row("still here")).to_be_visible()


@pytest.mark.parametrize(("command", "words"), [("/kick ann", "You were put out."), ("/ban ann", "You are banned.")])
def test_a_member_that_is_put_out_stays_out(tab: Tab, chat: WebChat, command: str, words: str) -> None:
    page = tab().log_in("ann")
    chat.operate(command)
    expect(page.page.get_by_role("status").filter(has_text=words)).to_be_visible()
    time.sleep(2)  # longer than the pause before a first try
    expect(page.page.get_by_role("button", name="Come back")).to_be_visible()


def test_who_quits_is_not_brought_back(tab: Tab) -> None:
    page = tab().log_in("ann")
    page.say("/quit")
    expect(page.page.get_by_role("button", name="Come back")).to_be_visible()


def ends_with_messages(said: list[str], count: int) -> bool:
    """Return whether all that the log has is the last of so many messages."""
    return bool(said) and said == [f"message {number}" for number in range(count - len(said), count)]


def test_thousands_of_messages(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        began = time.monotonic()
        for number in range(5_000):
            bob.line(f"message {number}")
        expect(page.row("message 4999")).to_be_visible(timeout=60_000)
        assert time.monotonic() - began < 60
    wait_until(lambda: ends_with_messages(page.said, 5_000), what="that the log holds the last messages in order")
    page.say("quick?")
    expect(page.row("quick?")).to_be_visible()


def test_keys(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        expect(page.members).to_have_count(3)
        page.box.press_sequentially("bo")
        page.page.keyboard.press("Tab")
        expect(page.box).to_have_value("bob: ")
        page.page.keyboard.type("hi")
        page.page.keyboard.press("Enter")
        bob.until("say", text="bob: hi")
        page.box.press_sequentially("/wh")
        page.page.keyboard.press("Tab")
        expect(page.box).to_have_value("/who ")
        page.page.keyboard.press("Tab")
        expect(page.box).to_have_value("/whois ")
        page.box.fill("")
        page.page.keyboard.press("ArrowUp")
        expect(page.box).to_have_value("bob: hi")
        page.page.keyboard.press("ArrowDown")
        expect(page.box).to_have_value("")
        page.page.keyboard.press("Tab")
        expect(page.box).not_to_be_focused()


def test_refused_texts_say_why(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    chat.operate("/mute ann")
    expect(page.log).to_contain_text("read only")
    page.say("may I?")
    expect(page.row("may I?")).to_contain_text("Not said:")
    page.say("/nonsense")
    expect(page.log).to_contain_text("There is no /nonsense")


def test_new_messages_alone_are_read_aloud(tab: Tab, chat: WebChat) -> None:
    with client(chat.run) as bob:
        bob.enter("bob")
        bob.line("old")
        bob.until("say", text="old")
        page = tab().log_in("ann")
        expect(page.row("old")).to_be_visible()
        news = page.page.get_by_role("status", name="New messages")
        expect(news).to_be_empty()
        bob.line("new")
        expect(news).to_have_text("bob: new")


def test_mentions_notify_who_asked_for_it(context: BrowserContext, chat: WebChat) -> None:
    context.grant_permissions(["notifications"])
    opened = ChatPage(context.new_page(), chat.url)
    opened.page.add_init_script(
        "window.shown = []; window.Notification = class { static permission = 'granted';"
        " constructor(title, options) { shown.push(`${title}: ${options.body}`); } };"
    )
    page = opened.open().log_in("ann")
    page.page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
    with client(chat.run) as bob:
        bob.enter("bob")
        bob.line("nothing")
        bob.line("hello ann")
        expect(page.page).to_have_title("(2!) #lobby | sockctl chat")
    assert page.page.evaluate("shown") == ["bob in #lobby: hello ann"]


def test_a_narrow_page_has_its_lists_behind_buttons(tab: Tab) -> None:
    page = tab().log_in("ann")
    page.page.set_viewport_size({"width": 360, "height": 640})
    expect(page.members.first).to_be_hidden()
    page.page.get_by_role("button", name="Members").click()
    expect(page.members.first).to_be_visible()
    page.page.get_by_role("button", name="Members").click()
    page.page.get_by_role("button", name="Rooms").first.click()
    page.go("#lobby")
    expect(page.rooms.first).to_be_hidden()
    for number in range(30):
        page.say(f"word {number} " * 20)
    expect(page.row("word 29")).to_be_in_viewport()
    page.page.set_viewport_size({"width": 360, "height": 320})  # a phone shows its keyboard
    expect(page.row("word 29").locator(".text")).to_be_in_viewport(ratio=0.9)
    page.say("x" * 300)
    expect(page.row("xxx")).to_be_visible()
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_dns_rebinding_gets_nothing(context: BrowserContext, chat: WebChat) -> None:
    page = context.new_page()
    answer = page.goto(f"http://evil.example:{chat.ports[1]}/")
    assert answer is not None
    assert answer.status == 421
    opened = page.evaluate(OPENS, f"ws://evil.example:{chat.ports[1]}/")
    assert opened is False


class Foreign(BaseHTTPRequestHandler):
    """A site of somebody else's; in its frame, scripts have the origin `null`."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><p>hello<iframe sandbox='allow-scripts' srcdoc='<p>inside'></iframe>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("in_frame", [False, True])
def test_a_page_from_elsewhere_opens_no_websocket(context: BrowserContext, chat: WebChat, in_frame: bool) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            page = context.new_page()
            page.goto(f"http://foreign.example:{site.server_port}/")
            frame = page.frames[1] if in_frame else page.main_frame
            assert frame.evaluate("origin") == ("null" if in_frame else f"http://foreign.example:{site.server_port}")
            assert frame.evaluate(OPENS, chat.url.replace("http", "ws")) is False
            assert chat.run.sink.wait_for("request_refused")[-1].status == 403
            page.close()
        finally:
            site.shutdown()
            thread.join()


def test_a_private_conversation_is_closed(tab: Tab, chat: WebChat) -> None:
    page = tab().log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        for number, close in enumerate(("button", "command")):
            bob.line(f"/msg ann psst {number}")
            page.go("bob")
            expect(page.row(f"psst {number}")).to_be_visible()
            assert page.said == [f"psst {number}"]
            if close == "button":
                page.page.get_by_role("button", name="Close the conversation with bob").click()
            else:
                page.say("/leave")
            expect(page.page.locator("h1")).to_have_text("#lobby")
            expect(page.rooms.filter(has_text="bob")).to_have_count(0)
    page.page.reload()
    page.box.wait_for()
    expect(page.rooms).to_have_count(1)


def test_the_members_of_a_large_room_are_listed_where_asked_for(context: BrowserContext, tmp_path: Path) -> None:
    rules = ChatRules(flood=None)
    with web_chat(tmp_path, rules=rules, limits=ChatLimits(told_singly=5)) as chat, contextlib.ExitStack() as stack:
        for number in range(60):
            stack.enter_context(client(chat.run)).enter(f"m{number:02}").ready()
        page = ChatPage(context.new_page(), chat.url).open().log_in("zoe")
        expect(page.page.get_by_text("62 members")).to_be_visible()
        page.page.get_by_role("button", name="List members").click()
        expect(page.members).to_have_count(50)
        expect(page.page.get_by_text("50 of 62 members")).to_be_visible()
        page.page.get_by_role("button", name="More members").click()
        expect(page.members).to_have_count(62)
        expect(page.page.get_by_role("button", name="More members")).to_have_count(0)
        page.page.close()
