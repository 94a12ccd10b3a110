"""Messages of sockctl that pass: their kinds and texts, and no password or token."""

from sockctl.proxy.message_reading import MessageSeen
from tests.support.inspecting import DIALOGUES, FROM, TO, inspect, message

GREETING = (FROM, b"sockctl/1 chat\r\n")
WELCOME = (FROM, message('{"kind":"welcome","text":"Hi."}'))


def test_a_login() -> None:
    assert [one.text for one in inspect(DIALOGUES["messages"])] == [
        "Greeting of a sockctl service: auth, version 1 of the protocol.",
        "Text of 12 bytes.",
        "Message hello.",
        "Message ask: Your name:",
        "Message answer: ann",
        "Message line: (hidden)",
        "Message ask: Password:",
        "Message answer: (hidden)",
        "Message token.",
        "Message welcome: Hello.",
        "Message line: grüße",
        "Frame that holds no message: no json",
        "Frame of 16.0 MiB, more than sockctl takes: 65,536 bytes.",
        "This direction ended in the middle of a frame.",
    ]


def test_no_secret_is_anywhere() -> None:
    for name in ("messages", "lines"):
        assert "secret'" not in str([(one.text, one.fields) for one in inspect(DIALOGUES[name])]).replace(
            "'secret':", ""
        )


def test_what_a_client_sends_ahead_of_the_welcome_is_hidden() -> None:
    line = (TO, message('{"kind":"line","text":"hunter2"}') + message('{"kind":"block","text":"","lines":["hunter2"]}'))
    seen = inspect([GREETING, line, WELCOME, line])
    assert "hunter2" not in str([one.fields for one in seen[:3]])
    assert "hunter2" in str([one.fields for one in seen[4:]])


def test_only_the_answer_to_a_question_for_a_password_is_hidden() -> None:
    ask = (FROM, message('{"kind":"ask","field":"password","text":"Your password now:"}'))
    pong, line = (TO, message('{"kind":"pong"}')), (TO, message('{"kind":"line","text":"abc"}'))
    seen = [one for one in inspect([GREETING, WELCOME, ask, pong, line, line]) if one.towards_target]
    assert [one.text for one in seen] == ["Message pong.", "Message line: (hidden)", "Message line: abc"]


def test_in_lines_the_answer_to_a_question_for_a_password_is_hidden() -> None:
    seen = [one for one in inspect(DIALOGUES["lines"]) if one.towards_target]
    assert [one.fields["text"] for one in seen] == ["ann\r\n", "(hidden)", "hello\r\n"]


def test_frames_without_a_greeting() -> None:
    frame = message('{"kind":"line","text":"a"}')
    assert isinstance(inspect([(TO, frame)])[0], MessageSeen)
    assert inspect([(TO, message("just text"))])[0].kind == "bytes"
    assert inspect([(TO, message("just text"))], messages=True)[0].kind == "frame"


def test_a_sender_stands_in_front() -> None:
    seen = inspect([GREETING, (FROM, message('{"kind":"say","text":"hi\\nyou","sender":"bob","room":"#a"}'))])[-1]
    assert seen.text == "Message say: #a <bob> hi you"


def test_what_is_no_frame_ends_the_reading() -> None:
    seen = inspect([GREETING, (TO, message('{"kind":"pong"}') + b"hello")])
    assert [one.kind for one in seen] == ["greeting", "message", "given_up"]


def test_another_first_line_is_text() -> None:
    for line in (b"sockctl/1\r\n", b"sockctl/1 chat" + b"x" * 80 + b"\r\n", b"sock", b"s\n"):
        assert [one.kind for one in inspect([(FROM, line)])] == ["text"]
