"""Users with passwords in the chat's page: login, signup, reload, two tabs, and tokens that are for one use."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.accounts import PASSWORD
from tests.support.browser import ChatPage, WebChat
from tests.support.chat_client import client

Tab = Callable[[], ChatPage]


def test_a_user_logs_in_and_stays_so_after_reloads(users_tab: Tab) -> None:
    page = users_tab().log_in("ann", PASSWORD)
    for number in range(3):
        page.say(f"message {number}")
        expect(page.row(f"message {number}")).to_be_visible()
        page.page.reload()
        page.box.wait_for()
    expect(page.row("message 2")).to_have_count(1)
    assert page.said == ["message 0", "message 1", "message 2"]


@pytest.mark.parametrize("height", [800, 480])
def test_the_login_fits_the_window_and_takes_what_is_typed(users_tab: Tab, height: int) -> None:
    page = users_tab().page
    page.set_viewport_size({"width": 1200, "height": height})
    for field in ("Name", "Password"):
        box = page.get_by_role("textbox", name=field)
        expect(box).to_be_focused()
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        box.fill("ann")
        page.keyboard.press("Enter")


def test_a_wrong_password_is_told(users_tab: Tab) -> None:
    page = users_tab()
    page.page.get_by_role("textbox", name="Name").fill("ann")
    page.page.keyboard.press("Enter")
    page.page.get_by_role("textbox", name="Password").fill("nonsense")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("alert")).to_be_visible()
    page.log_in("ann", PASSWORD)


def test_a_stranger_signs_up(users_tab: Tab) -> None:
    page = users_tab()
    page.page.get_by_role("textbox", name="Name").fill("zoe")
    page.page.keyboard.press("Enter")
    for words in ("New password", "The same again"):
        expect(page.page.get_by_text(words)).to_be_visible()
        page.page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.page.keyboard.press("Enter")
    page.box.wait_for()
    page.say("hello")
    expect(page.row("hello")).to_be_visible()


def test_two_tabs_of_a_user_are_two_places_of_one_member(users_tab: Tab, users_chat: WebChat) -> None:
    one, other = (users_tab().log_in("ann", PASSWORD) for _ in range(2))
    expect(one.members.filter(has_text="ann")).to_have_count(1)
    one.say("from one")
    expect(other.row("from one")).to_be_visible()
    other.say("/join #games")
    expect(one.rooms.filter(has_text="#games")).to_be_visible()
    expect(one.page.locator("h1")).to_have_text("#lobby")
    one.page.close()
    with client(users_chat.run) as ann:
        ann.log_in("ann")
        ann.until("joined", room="#games")
        ann.line("/join #lobby")
        ann.line("from a terminal")
        other.go("#lobby")
        expect(other.row("from a terminal")).to_be_visible()


def test_a_duplicated_tab_leaves_the_others_token_alone(users_tab: Tab) -> None:
    page = users_tab().log_in("ann", PASSWORD)
    kept = page.page.evaluate("sessionStorage.getItem('sockctl-session')")
    copy = users_tab()
    copy.page.get_by_role("textbox", name="Name").wait_for()  # the tab keeps nothing more now
    copy.page.evaluate("kept => sessionStorage.setItem('sockctl-session', kept)", kept)
    copy.page.reload()
    expect(copy.page.get_by_role("textbox", name="Name")).to_be_visible()
    page.page.reload()
    page.box.wait_for()
    page.say("still logged in")
    expect(page.row("still logged in")).to_be_visible()


def test_a_login_outlives_its_tab_where_the_user_wants_that(context: BrowserContext, users_chat: WebChat) -> None:
    def open_tab() -> ChatPage:
        return ChatPage(context.new_page(), users_chat.url).open()

    page = open_tab()
    page.page.get_by_role("textbox", name="Name").fill("ann")
    page.page.keyboard.press("Enter")
    page.page.get_by_role("checkbox", name="Stay logged in").check()
    page.page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.page.keyboard.press("Enter")
    page.say("from the first tab")
    expect(page.row("from the first tab")).to_be_visible()
    other = open_tab()
    expect(other.page.get_by_role("textbox", name="Name")).to_be_visible()  # the login has a tab
    other.page.close()
    page.page.reload()
    expect(page.row("from the first tab")).to_be_visible()
    for number in range(2):
        page.page.close()
        page = open_tab()
        page.say(f"from another tab {number}")
        expect(page.row(f"from another tab {number}")).to_be_visible()
    page.say("/logout")
    expect(page.page.get_by_role("button", name="Come back")).to_be_visible()
    page.page.close()
    page = open_tab()
    expect(page.page.get_by_role("textbox", name="Name")).to_be_visible()
    assert page.page.evaluate("localStorage.length") == 0


def test_a_login_goes_with_its_tab_otherwise(context: BrowserContext, users_chat: WebChat) -> None:
    page = ChatPage(context.new_page(), users_chat.url).open().log_in("ann", PASSWORD)
    page.page.close()
    page = ChatPage(context.new_page(), users_chat.url).open()
    expect(page.page.get_by_role("textbox", name="Name")).to_be_visible()
    assert page.page.evaluate("localStorage.length") == 0


def test_a_session_that_has_ended_asks_for_the_password(users_tab: Tab, users_chat: WebChat) -> None:
    page = users_tab().log_in("ann", PASSWORD)
    page.say("/logout")
    expect(page.page.get_by_role("button", name="Come back")).to_be_visible()
    page.page.get_by_role("button", name="Come back").click()
    expect(page.page.get_by_role("textbox", name="Name")).to_be_visible()
    assert users_chat.run.sink.wait_for("logged_out")
