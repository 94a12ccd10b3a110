"""What a frame holds, and how a message looks on a line."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import BadMessageError
from sockctl.protocol.messages import Message, decode_message, encode_message, format_line, make_message

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.text(min_size=1), st.dictionaries(st.text(), values, max_size=4))
def test_fields_come_through(kind: str, fields: dict[str, Any]) -> None:
    fields.pop("text", None)
    sent = Message({**fields, "kind": kind, "text": "hello"})
    if all(ord(one) < 0xD800 for one in json.dumps(sent.fields, ensure_ascii=False)):
        assert decode_message(encode_message(sent)) == sent


@settings(deadline=None)
@given(
    st.text()
    | values.map(json.dumps)
    | st.text('{}[]",:\\ntfu-+0123456789.eE \n\ud800').map('{"kind":"line",'.__add__)
    | st.dictionaries(st.sampled_from(["kind", "text", "sender"]), values).map(json.dumps)
)
def test_junk_is_an_error_or_a_message(junk: str) -> None:
    try:
        one = decode_message(junk)
    except BadMessageError:
        return
    assert json.loads(junk)["kind"] == one.kind


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON: Expecting value at character 0"),
        ("oops", "no JSON"),
        ('{"kind": "line"} {}', "no JSON: Extra data"),
        ('{"kind": "li\nne"}', "no JSON"),
        ('{"kind": "line", "n": NaN}', "number that can't be taken"),
        ('{"kind": "line", "n": ' + "9" * 5000 + "}", "number that can't be taken"),
        ('{"kind": "line", "n": 1e999}', "number that can't be taken"),
        ('{"kind": "line", "n": [-1e999]} ', "number that can't be taken"),
        ('{"kind": "line", "n": -Infinity}', "number that can't be taken"),
        ('\ufeff{"kind": "line"}', "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"kind": "line", "n": ' + '{"n": ' * 10_000 + "1" + "}" * 10_001, "nested too deeply"),
        ("[]", "no object"),
        ("null", "no object"),
        ("{}", "no kind"),
        ('{"kind": 1}', "The kind of a message is int"),
        ('{"kind": true}', "The kind of a message is bool"),
        ('{"kind": ["line"]}', "The kind of a message is list"),
        ('{"kind": "line", "kind": null}', "The kind of a message is NoneType"),
        ('{"kind": "line", "text": {}}', "The text of a message is dict"),
        ('{"kind": "line", "text": null}', "The text of a message is NoneType"),
    ],
)
def test_what_is_no_message(text: str, why: str) -> None:
    with pytest.raises(BadMessageError, match=why):
        decode_message(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"n": ', "}"), ('[{"n": ', "}]")])
def test_the_depth_is_bounded(opening: str, closing: str) -> None:
    levels = 32 // (opening.count("{") + opening.count("["))
    deepest = '{"kind": "line", "n": ' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"
    assert decode_message(deepest).kind == "line"
    for too_deep in (levels, levels + 1, 969):
        with pytest.raises(BadMessageError, match="nested too deeply: 32 levels"):
            decode_message('{"kind": "line", "n": ' + opening * too_deep + "1" + closing * too_deep + "}")


def test_many_brackets_beside_each_other_are_no_depth() -> None:
    wide = {"kind": "line", "text": "[{" * 100, "n": [[]] * 100, "m": [{}] * 100}
    assert decode_message(json.dumps(wide)).fields == wide


def test_space_around_does_not_matter() -> None:
    assert decode_message(' {"kind": "line"}\n').kind == "line"


def test_text_is_made_safe_on_entry() -> None:
    one = decode_message('{"kind": "line", "text": "\\u001b[31ma\\r\\nb\\u202e\\ud800", "name": "x\\u0007y", "n": 1}')
    assert one.text == "[31ma b"
    assert one.fields["text"] == "[31ma b"
    assert one.get("name") == "xy"
    assert one.get("n") == one.get("missing") == ""


def test_numbers_that_can_be_taken() -> None:
    one = decode_message('{"kind": "line", "n": [' + "9" * 1000 + ", 1.5, -0.0, 1e300]}")
    assert one.fields["n"] == [10**1000 - 1, 1.5, 0, 1e300]
    assert decode_message(encode_message(one)) == one


def test_a_kind_that_would_steer_a_terminal_is_not_shown_as_it_is() -> None:
    shown = repr(decode_message('{"kind": "\\u001b[31m\\ud800"}'))
    assert shown == "<Message \N{SYMBOL FOR ESCAPE}[31m\N{REPLACEMENT CHARACTER}>"


@settings(deadline=None)
@given(st.text(min_size=1).map("§".__add__))
def test_no_text_is_ever_shown(secret: str) -> None:
    one = make_message("answer", secret, field="password", token=secret)
    assert "§" not in f"{one!r} {one} {[one]} {(one,)}"


def test_a_message_shows_no_text() -> None:
    assert repr(make_message("answer", "swordfish", field="password")) == "<Message answer>"
    assert "swordfish" not in f"{[make_message('answer', 'swordfish')]}"


def test_equality() -> None:
    assert make_message("say", "a", sender="b") == make_message("say", "a", sender="b", room=None)
    assert make_message("say", "a") != make_message("say", "b")
    assert make_message("say", "a") != "say"
    assert len({make_message("say", "a"), make_message("say", "a")}) == 1


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (make_message("notice", "Hello."), "Hello."),
        (make_message("say", "hello", sender="ann"), "<ann> hello"),
        (make_message("say", "waves", sender="ann", action=True), "* ann waves"),
        (make_message("say", "a\nb", sender="a\x1bnn"), "<ann> a b"),
        (Message({"kind": "novelty"}), ""),
    ],
)
def test_a_line(one: Message, line: str) -> None:
    assert format_line(one, unmarked_room="#lobby") == line
