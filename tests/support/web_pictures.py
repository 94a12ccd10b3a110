"""Make the README's pictures of the chat's page: ``python -m tests.support.web_pictures [FOLDER]``."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import ChatPage, browsing, web_chat
from tests.support.chat_client import client

FOLDER = Path(__file__).parents[2] / ".github"


def main() -> int:
    """Let four members talk, and take pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with (
        tempfile.TemporaryDirectory() as name,
        web_chat(Path(name)) as chat,
        browsing() as browser,
        client(chat.run) as bob,
        chat.run.client() as nc,
    ):
        bob.enter("bob")
        nc.sendall(b"carl\n")
        context = browser.new_context(viewport={"width": 1000, "height": 520}, locale="en-GB")
        page = ChatPage(context.new_page(), chat.url).open()
        page.page.get_by_role("textbox", name="Name").fill("ann")
        page.page.screenshot(path=folder / "chat-login.png")
        page.log_in("ann")
        bob.line("/topic Sockets, and tea")
        page.say("Good morning! I am in a browser.")
        expect(page.row("browser")).to_be_visible()
        bob.line("hi Ann, and I use sockctl connect. Is carl coming?")
        expect(page.row("hi Ann")).to_be_visible()
        nc.sendall(b"here I am, with nc\n")
        expect(page.row("with nc")).to_be_visible()
        bob.line("/me waves")
        page.say("/join #games")
        bob.line("/join #games")
        expect(page.page.locator("h1")).to_have_text("#games")
        page.go("#lobby")
        bob.line("chess, ann?")
        bob.line("/msg ann psst: your move")
        expect(page.rooms.filter(has_text="bob")).to_contain_text("1 unread")
        page.box.fill("half a li")
        page.page.screenshot(path=folder / "chat.png")
        page.page.set_viewport_size({"width": 360, "height": 560})
        page.page.emulate_media(color_scheme="dark")
        page.page.screenshot(path=folder / "chat-narrow.png")
        page.page.get_by_role("button", name="Rooms").first.click()
        page.page.screenshot(path=folder / "chat-rooms.png")
        page.page.set_viewport_size({"width": 1000, "height": 520})
        chat.operate("/kick ann")
        expect(page.page.get_by_role("button", name="Come back")).to_be_visible()
        page.page.screenshot(path=folder / "chat-out.png")
        context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
