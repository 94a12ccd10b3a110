"""How a session shows what the server sends: as it came, made safe for a terminal, as a hex dump, or as JSON."""

from typing import TYPE_CHECKING

from sockctl.client.screen import MAX_PROMPT, Screen
from sockctl.hex_dump import format_hex
from sockctl.protocol.line_splitter import LineSplitter
from sockctl.text import TerminalText, escape_json, format_count

if TYPE_CHECKING:
    from sockctl.client.chat.formatter import MessageFormatter
    from sockctl.client.chat.roster import ChatContext
    from sockctl.client.chat.view import ChatView
    from sockctl.protocol.messages import Message

HEX_BYTES = 1_024
"""Bytes of a binary message that a terminal shows."""
MAX_LINE = 1 << 20
"""Characters that JSON shows of a raw line: 16 times the longest message."""


class Output:
    """A form in which a session shows the server's words. Every method may raise what `Screen.write` raises.

    Args:
        screen: Where to.

    Attributes:
        shows_wire: Whether it shows the bytes on the wire, too, by `show_sent` and `show_received`.
    """

    shows_wire = False

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def show_bytes(self, data: bytes) -> None:
        """Show bytes that are no message; no bytes mean the end."""

    def show_web_message(self, data: bytes, *, is_text: bool) -> None:
        """Show a message of a WebSocket."""

    def show_datagram(self, data: bytes, *, is_sent: bool) -> None:
        """Show a datagram that came; one that was sent, where both directions are shown."""

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:
        """Show a message."""

    def show_error(self, one: "Message") -> None:
        """Show an error of the server's on standard error."""
        self._screen.remark_error(f"The server says: {one.text}")

    def show_sent(self, data: bytes) -> None:
        """Show bytes that were sent."""

    def show_received(self, data: bytes) -> None:
        """Show bytes that were received."""


class ErrorOutput(Output):
    """Shows the server's errors alone."""

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:  # noqa: ARG002  as it came
        """Show an error."""
        if one.kind == "error":
            self.show_error(one)


class PlainOutput(Output):
    """Shows the bytes themselves, or safe text where standard output is a terminal.

    Args:
        screen: Where to.
        formatter: How messages look to a person; None in a pipe.
        errors_apart: Whether the server's errors go to standard error.
        keeps_ends: Whether a datagram is shown as it is, and not as a line.
    """

    def __init__(
        self,
        screen: Screen,
        formatter: "MessageFormatter | None",
        *,
        errors_apart: bool = False,
        keeps_ends: bool = False,
    ) -> None:
        super().__init__(screen)
        self._keeps_ends = keeps_ends
        self._formatter = formatter
        self._errors_apart = errors_apart
        self._text = TerminalText() if formatter is not None else None

    def show_bytes(self, data: bytes) -> None:
        """Show bytes that are no message; no bytes mean the end."""
        if shown := data if self._text is None else self._text.feed(data, final=not data).encode():
            self._screen.write(shown)

    def show_web_message(self, data: bytes, *, is_text: bool) -> None:
        """Show a text as a line, and binary bytes as they are; to a person as a hex dump."""
        if self._text is None:
            self._screen.write(encode_web_message(data, is_text=is_text))
        elif is_text:
            self._screen.write(self._text.feed(data + b"\n", final=True).encode())
        else:
            self._screen.write(format_hex(data[:HEX_BYTES], mark="<").encode())
            if len(data) > HEX_BYTES:
                self._screen.remark(f"{len(data) - HEX_BYTES:,} bytes more; in a pipe, all of them come as they are.")

    def show_datagram(self, data: bytes, *, is_sent: bool) -> None:
        """Show a datagram as a line, or as it is where the input was cut into blocks."""
        if is_sent:
            return
        line = data if self._keeps_ends or data.endswith(b"\n") else data + b"\n"
        self._screen.write(line if self._text is None else self._text.feed(line, final=True).encode())

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:
        """Show a message as a line; a question leaves the cursor behind it, for a person to answer."""
        from sockctl.protocol.messages import format_line

        if (not one.text and one.kind != "say") or one.kind == "typing":
            return
        if one.kind == "error" and self._errors_apart:
            self.show_error(one)
            return
        if self._formatter is None:
            self._screen.write(f"{format_line(one)}\n".encode())
            return
        if one.kind == "ask" and self._screen.above_prompt and len(one.text) <= MAX_PROMPT:
            return  # it is the prompt
        self._screen.end_line()
        end = " " if one.kind == "ask" and not self._screen.above_prompt else "\n"
        self._screen.write((self._screen.fold(self._formatter.format(one, context)) + end).encode())


class WindowOutput(PlainOutput):
    """Shows messages in the window on a chat, once there is one.

    Args:
        screen: Where to.
        formatter: How messages look as long as there is none.
        view: The memory of the chat.
        errors_apart: As for `PlainOutput`.
    """

    def __init__(
        self, screen: Screen, formatter: "MessageFormatter", view: "ChatView", *, errors_apart: bool = False
    ) -> None:
        super().__init__(screen, formatter, errors_apart=errors_apart)
        self._view = view

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:
        """Show a message; a question is the prompt."""
        if context is None or self._view.window is None or not self._screen.above_prompt:
            super().show_message(one, context)
        elif not (one.kind == "ask" and len(one.text) <= MAX_PROMPT) and (shown := self._view.show(one, context)):
            self._screen.write(shown.encode())


class HexOutput(Output):
    """Shows the bytes of both directions as a hex dump with an offset for each, be they a message or not."""

    shows_wire = True

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._sent = self._received = 0

    def show_datagram(self, data: bytes, *, is_sent: bool) -> None:
        """Show a datagram: a line that says how long it is, and its bytes, from its own first one on."""
        direction = ">" if is_sent else "<"
        size = f"a datagram of {format_count(len(data), 'byte')}" if data else "an empty datagram"
        self._screen.write(f"{direction} {size}\n{format_hex(data, mark=direction)}".encode())

    def show_sent(self, data: bytes) -> None:
        """Show bytes that were sent."""
        self._screen.write(format_hex(data, self._sent, mark=">").encode())
        self._sent += len(data)

    def show_received(self, data: bytes) -> None:
        """Show bytes that were received."""
        self._screen.write(format_hex(data, self._received, mark="<").encode())
        self._received += len(data)


class JsonOutput(Output):
    """Shows each message as one JSON object a line, and each line that is none as ``{"text": …}``.

    A line that is not UTF-8 becomes ``{"base64": …}``, as do datagrams and messages of WebSockets that are no text. A
    line of a raw server may have no end, so the part beyond `max_line` is left out: ``{"text": …, "left_out": N}``.

    Args:
        screen: Where to.
        max_line: Characters of a line that are shown.
        client: The number of the client whose lines these are, among several; None for the only one.
    """

    def __init__(self, screen: Screen, *, max_line: int = MAX_LINE, client: int | None = None) -> None:
        super().__init__(screen)
        self._client: dict[str, object] = {} if client is None else {"client": client}
        self._lines = LineSplitter(limit=max_line, errors="surrogateescape")

    def show_bytes(self, data: bytes) -> None:
        """Show the lines that are complete, at the end also one that isn't."""
        for line, left_out in zip(self._lines.feed(data), self._lines.dropped, strict=True):
            self._show({**self._client, **make_line_fields(line), **({"left_out": left_out} if left_out else {})})

    def show_web_message(self, data: bytes, *, is_text: bool) -> None:
        """Show a message of a WebSocket: a binary one in base64."""
        self._screen.write(encode_web_json(data, is_text=is_text))

    def show_datagram(self, data: bytes, *, is_sent: bool) -> None:
        """Show a datagram that came: one that is no text in base64."""
        if not is_sent:
            self._screen.write(encode_datagram_json(data))

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:  # noqa: ARG002  as it came
        """Show a message."""
        self._show(one.fields)

    def _show(self, fields: dict[str, object]) -> None:
        self._screen.write(encode_json_line(fields))


def encode_json_line(fields: dict[str, object]) -> bytes:
    """Return `fields` as a line of JSON in UTF-8, in which characters that could steer a terminal are escaped."""
    from json import dumps

    line = dumps(fields, ensure_ascii=False)
    if not (line.isascii() and line.isprintable()):
        line = escape_json(line)
    return f"{line}\n".encode()


def make_line_fields(line: str) -> dict[str, object]:
    """Return the JSON fields of a line, whose bytes that are not UTF-8 are lone surrogates (PEP 383)."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return make_bytes_fields(line.encode(errors="surrogateescape"))
    return {"text": line}


def make_bytes_fields(data: bytes) -> dict[str, object]:
    """Return the JSON fields of bytes that are no text."""
    from base64 import b64encode

    return {"base64": b64encode(data).decode()}


def encode_web_message(data: bytes, *, is_text: bool) -> bytes:
    """Return a message of a WebSocket as a pipe shows it."""
    return data + b"\n" if is_text else data


def encode_web_json(data: bytes, *, is_text: bool) -> bytes:
    """Return a message of a WebSocket as a line of JSON."""
    return encode_json_line({"text": data.decode()} if is_text else make_bytes_fields(data))


def encode_datagram_json(data: bytes) -> bytes:
    """Return a datagram as a line of JSON: as text where it is UTF-8, else in base64."""
    try:
        return encode_json_line({"text": data.decode()})
    except UnicodeDecodeError:
        return encode_json_line(make_bytes_fields(data))
