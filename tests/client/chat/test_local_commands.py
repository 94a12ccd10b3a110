import pytest

from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.local_commands import LocalCommand, LocalCommands
from sockctl.client.chat.roster import ChatContext, Roster
from sockctl.client.chat.update import Update
from sockctl.client.chat.window import ChatWindow
from sockctl.protocol.messages import Message, make_message


@pytest.fixture
def window() -> ChatWindow:
    return ChatWindow(Roster(), MessageFormatter(colours=False))


@pytest.fixture
def commands(window: ChatWindow) -> LocalCommands:
    return LocalCommands(window)


def texts(update: Update | None) -> list[str]:
    assert update is not None
    return [row[6:] if row[:1].isdigit() else row for row in update.rows]


def said(text: str) -> Message:
    return make_message("say", text, sender="bob")


@pytest.mark.parametrize("line", ["", "hello", "last", "/", "/who", "//last x", "/lastly", "/help who", "/help", "/?"])
def test_other_lines_are_for_the_server(commands: LocalCommands, line: str) -> None:
    assert commands.run(line) is None


def test_searching(commands: LocalCommands, window: ChatWindow) -> None:
    for text in ("green tea", "black tea", "coffee"):
        window.add(said(text), ChatContext())
    assert texts(commands.run("/LAST Black tea"))[1:-1] == ["<bob> black tea"]
    assert texts(commands.run("/last")) == ["! That can't be done: write /last TEXT."]


def test_the_bell(commands: LocalCommands, window: ChatWindow) -> None:
    assert texts(commands.run("/bell off")) == ["* The bell is off."]
    assert not window.bell
    assert texts(commands.run("/bell")) == ["* The bell is off."]
    assert texts(commands.run(" /bell on ")) == ["* The bell is on."]
    assert window.bell
    assert texts(commands.run("/bell loud")) == ["! That can't be done: write /bell on|off."]


def test_clearing(commands: LocalCommands) -> None:
    assert commands.run("/clear") == Update([], clears=True)
    assert texts(commands.run("/clear all")) == ["! That can't be done: write /clear."]


def test_help_for_one(commands: LocalCommands) -> None:
    assert texts(commands.run("/help /bell"))[0].startswith("* /bell on|off: Ring the bell")


def test_the_clients_commands_stand_in_front_of_the_servers(commands: LocalCommands) -> None:
    listed = make_message("notice", "/who  List who is there.", code="help")
    assert commands.before(listed) == Update([])
    commands.run("/help")
    assert commands.before(said("meanwhile")) == Update([])
    shown = texts(commands.before(listed))
    assert shown[0] == "* This window:"
    assert any(row.startswith("*   /last TEXT") for row in shown)
    assert commands.before(listed) == Update([])
    commands.run("/help")
    assert commands.before(make_message("error", "You are too fast.")) == Update([])
    assert commands.before(listed) == Update([])


def test_further_commands(window: ChatWindow) -> None:
    twice = LocalCommand("/twice TEXT", "Tell a text twice.", lambda window, rest: window.tell(rest * 2))
    commands = LocalCommands(window, {"twice": twice})
    assert texts(commands.run("/twice no")) == ["* nono"]
    listed = texts(commands.list_own("And more."))
    assert any("/twice TEXT" in row for row in listed)
    assert listed[-1] == "*   And more."
