"""The chat's page for everybody: axe finds nothing, in light and dark, wide and narrow."""

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.browser import ChatPage, WebChat
from tests.support.chat_client import client

Tab = Callable[[], ChatPage]


def check(page: ChatPage) -> None:
    found = Axe().run(page.page).response["violations"]
    assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(tab: Tab, chat: WebChat, width: int, scheme: Literal["light", "dark"]) -> None:
    page = tab()
    page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.page.set_viewport_size({"width": width, "height": 640})
    page.page.get_by_role("textbox", name="Name").wait_for()
    check(page)
    page.log_in("ann")
    with client(chat.run) as bob:
        bob.enter("bob")
        for name in "cdefgh":
            bob.line(f"/nick {name}ob")
            bob.line(f"hello from {name}")
        bob.line("Ann, look")
        bob.line("/topic Sockets, and tea")
        bob.line("/msg ann psst")
        page.say("/nonsense")
        expect(page.log).to_contain_text("There is no /nonsense")
        expect(page.row("Ann, look")).to_be_visible()
        check(page)
        for panel in ("Rooms", "Members") if width < 700 else ():
            page.page.get_by_role("button", name=panel).first.click()
            check(page)
    chat.operate("/kick ann")
    expect(page.page.get_by_role("button", name="Come back")).to_be_visible()
    check(page)


def test_axe_finds_nothing_where_a_password_is_asked_for(users_tab: Tab) -> None:
    page = users_tab()
    page.page.get_by_role("textbox", name="Name").fill("ann")
    page.page.keyboard.press("Enter")
    page.page.get_by_role("checkbox", name="Stay logged in").wait_for()
    for scheme in ("light", "dark"):
        page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        check(page)
