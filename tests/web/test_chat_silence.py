"""The chat's page on a device that has slept, or has changed its network: its connection is dead without a word."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, WebSocketRoute, expect

from tests.support.browser import ChatPage, WebChat
from tests.support.chat_client import client


class Air:
    """What the messages of a page go through; a connection that is cut has no end, and nothing goes through it."""

    def __init__(self) -> None:
        self.count = 0
        self._cut = 0  # connections up to this number are dead

    def cut(self) -> None:
        self._cut = self.count

    def connect(self, page_side: WebSocketRoute) -> None:
        self.count += 1
        number, server_side = self.count, page_side.connect_to_server()

        def pass_on(to: WebSocketRoute, data: str | bytes) -> None:
            if number > self._cut:
                to.send(data)

        page_side.on_message(lambda data: pass_on(server_side, data))
        server_side.on_message(lambda data: pass_on(page_side, data))


def sleep(page: ChatPage) -> None:
    """Let the device sleep for an hour: no timer runs meanwhile."""
    page.page.clock.fast_forward("01:00:00")


def change_network(page: ChatPage) -> None:
    """Let two minutes pass, in which no byte comes."""
    page.page.clock.run_for("02:03")


@pytest.mark.parametrize("pass_time", [sleep, change_network])
def test_a_dead_connection_is_noticed(
    context: BrowserContext, chat: WebChat, pass_time: Callable[[ChatPage], None]
) -> None:
    air = Air()
    page = ChatPage(context.new_page(), chat.url)
    page.page.route_web_socket(lambda _: True, air.connect)
    page.page.clock.install()
    page.open().log_in("ann")
    page.say("before")
    expect(page.row("before")).to_be_visible()
    with client(chat.run) as bob:
        bob.enter("bob")
        expect(page.members).to_have_count(3)
        air.cut()
        said = [f"missed {number}" for number in range(5)]
        for text in said:
            bob.line(text)
        bob.until("say", text=said[-1])
        pass_time(page)
        expect(page.row(said[-1])).to_be_visible()
        page.say("after")
        expect(page.row("after")).to_be_visible()  # first: the air carries messages only while the page is waited for
        bob.until("say", text="after")
    assert page.said == ["before", *said, "after"]
    assert air.count >= 2
    page.page.close()


def test_what_may_be_lost_can_be_said_again(context: BrowserContext, chat: WebChat) -> None:
    air = Air()
    page = ChatPage(context.new_page(), chat.url)
    page.page.route_web_socket(lambda _: True, air.connect)
    page.page.clock.install()
    page.open().log_in("ann")
    air.cut()
    page.say("into the air")
    page.page.clock.run_for(21_000)
    expect(page.page.get_by_text("This may not have arrived.")).to_be_visible()
    assert page.said == []
    page.page.get_by_role("button", name="Say it again").click()
    expect(page.row("into the air")).to_be_visible()
    expect(page.page.get_by_text("This may not have arrived.")).to_have_count(0)
    assert page.said == ["into the air"]
    page.page.close()
