from sockctl.client.confirmation import Confirmation
from sockctl.client.entry import Entry
from sockctl.client.session_events import QuestionAsked, Remark, SessionEvent, TextReturned
from sockctl.protocol.messages import make_message

ENTRY = Entry("a\nb")
ANOTHER = make_message("ask", "Your password?", field="password", secret=True)


def asking(*, returns: bool = True) -> tuple[Confirmation, list[SessionEvent]]:
    events: list[SessionEvent] = []
    confirmation = Confirmation(events)
    confirmation.ask("Send?", ENTRY, returns=returns)
    assert events == [QuestionAsked(make_message("ask", "Send? [y/N]", field="confirm"))]
    confirmation.give_way()
    assert confirmation.is_open, "its own question is the last"
    events.clear()
    return confirmation, events


def test_yes_and_no() -> None:
    for answer, entry in (("y", ENTRY), (" YES ", ENTRY), ("n", None), ("yo", None), ("", None)):
        confirmation, events = asking()
        assert confirmation.answer(answer, ANOTHER) == entry
        assert events == [QuestionAsked(ANOTHER), *([] if entry else [TextReturned("a\nb")])]
        assert not confirmation.is_open


def test_a_secret_does_not_come_back() -> None:
    confirmation, events = asking(returns=False)
    assert confirmation.answer("n", None) is None
    assert events == [QuestionAsked(None), Remark("Not sent.")]
    assert "a\nb" not in repr(vars(confirmation))


def test_it_gives_way_to_another_question() -> None:
    for question in (ANOTHER, None):
        confirmation, events = asking()
        events.append(QuestionAsked(question))
        confirmation.give_way()
        assert not confirmation.is_open
        assert events[1:] == [TextReturned("a\nb")]
        confirmation.give_way()
        confirmation.cancel()
        assert len(events) == 2
