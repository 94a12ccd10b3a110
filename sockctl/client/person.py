"""A person at the line editor: the client asks about entries that may hurt, and keeps those that must wait.

| what is entered | and |
|---|---|
| the answer to a secret question | goes on, and is remembered for a while |
| the password that was just typed | is asked about, once more each time |
| several lines | are asked about; none of them is a command, and they are no answer |
| ``exit`` | in a chat it is asked about once; else it ends the session |
| a user's name, as the first line after a welcome by a kept login | is asked about |
| anything else | goes on |
"""

from typing import TYPE_CHECKING

from sockctl.client.confirmation import Confirmation
from sockctl.client.entry import Entry, Secret
from sockctl.client.recent_secret import RecentSecret
from sockctl.client.session_events import Remark, SessionEvent, TextReturned, WindowChanged
from sockctl.client.waiting_entries import WaitingEntries
from sockctl.protocol.names import make_name_key
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.connection import ClientConnection
    from sockctl.client.protocol import MessageProtocol

_EXIT, _ESCAPED_EXIT = "exit", "//exit"


class Person:
    """The entries of a person, on their way to a connection. Not thread-safe.

    Args:
        events: Where events are appended.
        view: The memory of a chat; None without one.

    Attributes:
        wants_to_leave: Whether the session is to end.
    """

    def __init__(
        self,
        events: list[SessionEvent],
        view: "ChatView | None",
    ) -> None:
        self.wants_to_leave = False
        self._events = events
        self._view = view
        self._confirmation = Confirmation(events)
        self._waiting = WaitingEntries(events)
        self._secret = RecentSecret()
        self._in_chat = False
        self._asked_about_exit = False
        self._is_first = True
        self._early: list[str] = []  # entered before it was known whether a kept login lets the user in

    def enter(self, text: str, connection: "ClientConnection | None", now: float) -> Entry | None:
        """Process an entry; return the one that goes to the connection now.

        Args:
            text: A line, or several with line feeds.
            connection: The connection; None while there is none.
            now: The time.
        """
        protocol = None if connection is None else connection.protocol
        self._in_chat = self._in_chat if protocol is None else protocol.is_chat
        question = None if protocol is None else protocol.question
        asks_secret = question is not None and question.asks_secret
        if isinstance(text, Secret) and not asks_secret:
            self._events.append(Remark("Not sent: the question is not open any more."))
            return None
        if protocol is not None and protocol.login.undecided and self._is_first:
            self._early.append(text)
            return None
        if self._confirmation.is_open:
            entry = self._confirmation.answer(text, question)
            if entry is not None and entry.text.strip() == _EXIT:
                self.wants_to_leave = True
                return None
            if entry is not None and entry.is_block and not self._in_chat:
                self._events += [
                    Remark(f"> {make_visible(line)}", is_error=False) for line in entry.lines
                ]  # it doesn't come back
        elif asks_secret:
            self._secret.note(text, now)
            return Entry.of(str(text))
        else:
            entry = self._check(Entry.of(text), protocol, now)
            if question is None:
                entry = self._run_local(entry)
        if entry is not None and (connection is None or not connection.takes_entries):
            rooms = [] if self._view is None else self._view.roster.last_rooms
            self._waiting.add(entry, rooms[-1] if rooms else "")
            return None
        return entry

    def take_waiting(self, connection: "ClientConnection", now: float) -> list[Entry]:
        """Return the entries that may go to the connection now that the server has let the client in, or not."""
        protocol = connection.protocol
        if protocol is None or protocol.login.undecided:
            return []
        entries = self._waiting.take(protocol.room) if protocol.is_welcomed else []
        early, self._early = self._early, []
        return [*entries, *(entry for text in early if (entry := self.enter(text, connection, now)) is not None)]

    def give_way(self) -> None:
        """Withdraw the client's question if the server has asked meanwhile, or the connection was lost."""
        self._confirmation.give_way()

    def give_back(self) -> None:
        """Give back all entries that wait, now that the session ends."""
        self._confirmation.cancel("Not sent")
        self._events += [TextReturned(text, "Not sent") for text in self._early]
        self._early.clear()
        self._waiting.give_back()

    def _run_local(self, entry: Entry | None) -> Entry | None:
        """Return an entry for the server; carry out one for the window on the chat."""
        if entry is None or entry.is_block or self._view is None:
            return entry
        update, goes_out = self._view.enter(entry.text)
        if update is not None:
            self._events.append(WindowChanged(update.render()))
        return entry if goes_out else None

    def _check(self, entry: Entry, protocol: "MessageProtocol | None", now: float) -> Entry | None:
        """Return an entry that needs no question; ask about any other."""
        is_first, self._is_first = self._is_first, False
        word = entry.text.strip()
        is_answer = protocol is not None and protocol.question is not None
        if any(self._secret.matches(line, now) for line in entry.lines):
            self._confirmation.ask("That is the password you just typed: say it?", entry, returns=False)
        elif entry.is_block and not is_answer:
            self._check_block(entry)
        elif word == _EXIT and not self._in_chat:
            self.wants_to_leave = True
        elif word == _EXIT and not self._asked_about_exit:
            self._asked_about_exit = True
            self._confirmation.ask("Leave the chat?", entry)
        elif is_first and self._is_users_name(word, protocol):
            self._confirmation.ask(f"{word} is a user's name: say it?", entry)
        else:
            return Entry(_EXIT) if word == _ESCAPED_EXIT and not self._in_chat else entry
        return None

    def _check_block(self, entry: Entry) -> None:
        if self._in_chat and entry.is_too_large:
            self._events += [
                Remark(f"{entry.describe_excess()}: as many characters of English, half of Russian."),
                TextReturned(entry.text),
            ]
        else:
            self._confirmation.ask(f"{len(entry.lines)} lines: send?", entry)

    def _is_users_name(self, word: str, protocol: "MessageProtocol | None") -> bool:
        """Return whether a word is a name that its user may have meant as an answer to "What is your name?"."""
        if protocol is None or not protocol.login.resumed or not word or word.split() != [word]:
            return False
        others = [] if self._view is None else [self._view.roster.me, *self._view.roster.others]
        return make_name_key(word) in {make_name_key(name) for name in (*others, *protocol.login.users) if name}
