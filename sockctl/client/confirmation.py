"""The client's own questions about an entry, which waits until the next entry confirms it."""

from sockctl.client.entry import Entry
from sockctl.client.session_events import QuestionAsked, Remark, SessionEvent, TextReturned
from sockctl.protocol.messages import Message, make_message

CONFIRM = "confirm"
"""The field of such a question."""
YES = frozenset({"y", "yes"})


class Confirmation:
    """Asks about one entry at a time.

    Args:
        events: Where events are appended.
    """

    def __init__(self, events: list[SessionEvent]) -> None:
        self._events = events
        self._question: Message | None = None
        self._entry = Entry("")
        self._returns = True

    @property
    def is_open(self) -> bool:
        """Whether the next entry is an answer."""
        return self._question is not None

    def ask(self, text: str, entry: Entry, *, returns: bool = True) -> None:
        """Ask about an entry.

        Args:
            text: The question.
            entry: The entry that waits for the answer.
            returns: Whether the text comes back into the editor if it isn't confirmed; a secret never does.
        """
        self._question = make_message("ask", f"{text} [y/N]", field=CONFIRM)
        self._entry, self._returns = entry, returns
        self._events.append(QuestionAsked(self._question))

    def answer(self, text: str, then: Message | None) -> Entry | None:
        """Take an answer; return the entry if it is confirmed.

        Args:
            text: The answer.
            then: The question of the server that is open again.
        """
        self._question = None
        self._events.append(QuestionAsked(then))
        if text.strip().lower() in YES:
            return self._entry
        self._give_back("")
        return None

    def give_way(self) -> None:
        """Give the entry back if another question has come, or the last one is void: the next entry is no answer."""
        asked = next((event for event in reversed(self._events) if isinstance(event, QuestionAsked)), None)
        if self._question is not None and asked is not None and asked.question is not self._question:
            self.cancel()

    def cancel(self, why: str = "") -> None:
        """Give the entry back, if one waits.

        Args:
            why: Why, for the user; empty where the user knows.
        """
        if self._question is not None:
            self._question = None
            self._give_back(why)

    def _give_back(self, why: str) -> None:
        self._events.append(TextReturned(self._entry.text, why) if self._returns else Remark("Not sent."))
        self._entry = Entry("")
