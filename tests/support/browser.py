"""A browser for tests: Debian's Chromium, driven by Playwright, and the chat that it reads."""

import contextlib
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from sockctl.events.journal import Journal
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.listener import open_listeners
from sockctl.net.service import Service
from sockctl.net.web.door import WebDoor
from sockctl.net.web.site import load_site
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.service import DEFAULT_LIMITS, Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login import LoginConversation
from tests.support.running import Running, free_port, running
from tests.support.tools import unavailable

OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.example 127.0.0.1"),
]
TIMEOUT_MS = 40_000
expect.set_options(timeout=TIMEOUT_MS)
QUICK = Timeouts(linger_s=0.2)
MANY = Limits(max_clients=500, max_clients_per_address=500, max_pending=300)


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Run the browser that this machine has."""
    path = shutil.which("chromium")
    if path is None:
        unavailable("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


class ChatPage:
    """The chat's page in one tab.

    Attributes:
        page: Playwright's page.
        complaints: What the page has written to the console, and its uncaught errors.
        requests: The addresses that the page has asked for.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def open(self) -> "ChatPage":
        self.page.goto(self.url)
        return self

    def log_in(self, name: str, password: str = "") -> "ChatPage":
        self._answer("Name", name)
        if password:
            self._answer("Password", password)
        self.box.wait_for()
        return self

    def _answer(self, field: str, text: str) -> None:
        """Type at a field by its name, whatever has the focus."""
        box = self.page.get_by_role("textbox", name=field)
        box.fill(text)
        box.press("Enter")

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="Messages")

    @property
    def rooms(self) -> Locator:
        return self.page.get_by_role("list", name="Rooms").get_by_role("button")

    @property
    def members(self) -> Locator:
        return self.page.get_by_role("list", name="Members").get_by_role("listitem")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.page.keyboard.press("Enter")

    def row(self, text: str) -> Locator:
        return self.log.locator("p", has_text=text)

    def go(self, room: str) -> None:
        self.rooms.filter(has_text=room).click()

    @property
    def said(self) -> list[str]:
        """The texts of all rows that the log has."""
        return self._texts.all_inner_texts()

    def shows(self, *texts: str) -> None:
        """Wait until the log has these texts, in this order and no others."""
        expect(self._texts).to_have_text(texts)

    @property
    def _texts(self) -> Locator:
        return self.log.locator("p.said .text")


class WebChat:
    """A chat with a web door, which can be stopped and started anew on the same ports."""

    def __init__(
        self,
        folder: Path,
        *,
        rules: ChatRules | None = None,
        login: bool = False,
        limits: ChatLimits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._folder = folder
        self._rules = rules or ChatRules(flood=None)
        self._login = login
        self._stack = contextlib.ExitStack()
        self.ports = [0, free_port()]  # nobody else gets the page's port while the chat is stopped
        self.run: Running
        self.chat: Chat

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}/"

    def start(self) -> None:
        login = LoginConversation(self._folder, signup=True, floor_s=0.001) if self._login else None
        self.chat = Chat(self._folder, self._rules, login=login, limits=self._limits)
        self.heard: list[Message] = []
        self._type = self.chat.open_console(self.heard.append)
        self.run = self._stack.enter_context(
            running(self.chat, MANY, QUICK, host="127.0.0.1", make_doors=self._make_doors)
        )

    def _make_doors(self, service: Service, journal: Journal) -> list[WebDoor]:
        listeners = open_listeners("127.0.0.1", self.ports[1], strict_port=True)
        return [WebDoor(service, listeners, journal, QUICK, site=load_site(files("sockctl") / "web" / "chat"))]

    def stop(self) -> None:
        self._stack.close()

    def operate(self, line: str) -> None:
        """Type a line at the server's terminal."""
        self._type(make_message("line", line))


@contextlib.contextmanager
def web_chat(
    folder: Path, *, rules: ChatRules | None = None, login: bool = False, limits: ChatLimits = DEFAULT_LIMITS
) -> Iterator[WebChat]:
    chat = WebChat(folder, rules=rules, login=login, limits=limits)
    chat.start()
    try:
        yield chat
    finally:
        chat.stop()
