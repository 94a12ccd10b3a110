"""The chat's page on a slow line: it draws a room before all that belongs to it has come."""

from playwright.sync_api import BrowserContext, WebSocketRoute, expect

from tests.support.browser import ChatPage, WebChat
from tests.support.chat_client import client


class SlowLine:
    """Carries nothing more to the page from the first history on, until it is told to go on."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._held: list[str | bytes] = []
        self._is_slow = True
        self._page_side: WebSocketRoute

    def connect(self, page_side: WebSocketRoute) -> None:
        self._page_side = page_side
        server_side = page_side.connect_to_server()

        def to_server(data: str | bytes) -> None:
            self.sent.append(str(data))
            server_side.send(data)

        page_side.on_message(to_server)
        server_side.on_message(self._to_page)

    def _to_page(self, data: str | bytes) -> None:
        if self._held:
            self._held.append(data)
        elif self._is_slow and '"kind":"history"' in str(data):
            self._held = [data]
        else:
            self._page_side.send(data)

    def go_on(self) -> None:
        held, self._held, self._is_slow = self._held, [], False
        for data in held:
            self._page_side.send(data)


def test_nothing_earlier_is_asked_for_before_the_rest_has_come(context: BrowserContext, chat: WebChat) -> None:
    said = [f"message {number} " + "word " * 40 for number in range(90)]
    with client(chat.run) as bob:
        bob.enter("bob")
        for text in said:
            bob.line(text)
        bob.until("say", text=said[-1])
    line = SlowLine()
    page = ChatPage(context.new_page(), chat.url)
    page.page.route_web_socket(lambda _: True, line.connect)
    page.open().log_in("ann")
    line.go_on()
    expect(page.row(said[-1])).to_be_visible()
    assert not [one for one in line.sent if "/history" in one]
    page.page.close()
