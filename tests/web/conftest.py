"""The browser of the tests of pages, and a chat with tabs."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.accounts import accounts_at
from tests.support.browser import ChatPage, WebChat, browsing, web_chat


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return what one user's tabs share."""
    context = browser.new_context(viewport={"width": 1200, "height": 700}, locale="en-GB", permissions=[])
    yield context
    context.close()


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[WebChat]:
    with web_chat(tmp_path) as chat:
        yield chat


@pytest.fixture
def users_chat(tmp_path: Path) -> Iterator[WebChat]:
    """Return a chat of users, of whom ann is one; others may sign up."""
    accounts_at(tmp_path, "ann")
    with web_chat(tmp_path, login=True) as chat:
        yield chat


@pytest.fixture
def tab(context: BrowserContext, chat: WebChat) -> Iterator[Callable[[], ChatPage]]:
    """Return a function that opens the chat in a new tab; none of them may complain or ask another origin."""
    with tabs_of(context, chat) as open_tab:
        yield open_tab


@pytest.fixture
def users_tab(context: BrowserContext, users_chat: WebChat) -> Iterator[Callable[[], ChatPage]]:
    """Return a function as `tab` does, for the chat of users."""
    with tabs_of(context, users_chat) as open_tab:
        yield open_tab


@contextlib.contextmanager
def tabs_of(context: BrowserContext, chat: WebChat) -> Iterator[Callable[[], ChatPage]]:
    opened: list[ChatPage] = []

    def open_tab() -> ChatPage:
        page = ChatPage(context.new_page(), chat.url)
        opened.append(page)
        return page.open()

    yield open_tab
    own = tuple(f"{scheme}://127.0.0.1:{chat.ports[1]}/" for scheme in ("http", "ws"))
    for page in opened:
        assert all(url.startswith(own) for url in page.requests)
        refused = [one for one in page.complaints if "ERR_CONNECTION" not in one]  # while the server is away
        assert not refused
