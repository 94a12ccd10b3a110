"""Makes text safe for terminals and logs, and formats quantities for people."""

import codecs
import re

_WHOLE_SECOND = 0.9995
"""From this value on, milliseconds would show 1000."""
_WHOLE_MILLISECOND = 0.0009995
"""From this value on, microseconds would show 1000."""
_KIB = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_ROUNDS_UP = 1023.95
"""From this value on, one decimal would show 1,024.0, so the next unit follows."""
_AGES = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_MAX_DIGITS = 19
"""Those of the largest signed number of 64 bits."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


_C0 = frozenset(range(0x20)) - {0x09}
_BEYOND_ASCII = frozenset(
    code
    for codes in (
        range(0x80, 0xA0),  # C1
        (0x061C, 0x200E, 0x200F),  # bidi marks: ALM, LRM, RLM
        range(0x202A, 0x202F),  # bidi embeddings and overrides
        range(0x2066, 0x206A),  # bidi isolates
        range(0x2028, 0x202A),  # line and paragraph separator
        (0x00AD, 0x200B, 0xFEFF),  # soft hyphen, zero width space, byte order mark
        range(0x2060, 0x2065),  # word joiner and invisible operators
        (0x180E,),  # Mongolian vowel separator
        range(0x206A, 0x2070),  # deprecated formatters
        range(0xFFF9, 0xFFFC),  # interlinear annotation
        range(0x1BCA0, 0x1BCA4),  # shorthand formatters
        range(0x1D173, 0x1D17B),  # musical formatters
        (0x115F, 0x1160, 0x3164, 0xFFA0),  # Hangul fillers
        range(0xD800, 0xE000),  # lone surrogates
    )
    for code in codes
)
HIDDEN_CODES = _C0 | {0x7F} | _BEYOND_ASCII
"""The characters that must never reach a terminal, a log line or another client."""
_BREAKS = (0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CLEANED: dict[int, str | None] = {**dict.fromkeys(HIDDEN_CODES), **dict.fromkeys(_BREAKS, " ")}

_TAGS = "\U000e0000-\U000e007f"
_JOINERS = "\u200c\u200d"  # ZWNJ and ZWJ
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_JOINING_SCRIPTS = (
    "\u0620-\u08ff"  # Arabic, Syriac, Thaana, N'Ko, Mandaic
    "\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\ua8ff\ua930-\uaaff\uabc0-\uabff"  # of the Indic family
    "\ufb50-\ufdff\ufe70-\ufefc"  # Arabic presentation forms
    "\U00010a00-\U00010aff\U00010d00-\U00010d3f\U00010f30-\U00010fdf\U00011000-\U0001174f\U00011800-\U00011fff"
)
_IN_THEIR_PLACE = (
    "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"  # a flag of a region, such as Scotland's
    f"|(?<=[{_JOINING_SCRIPTS}])[{_JOINERS}]"
    f"|(?:(?<=[{_EMOJI}])|(?<=[{_EMOJI}]\ufe0f))\u200d(?=[{_EMOJI}])"
)
_INVISIBLE = re.compile(f"({_IN_THEIR_PLACE})|[{_TAGS}{_JOINERS}]")
"""Finds tags and joiners; the group has those that stand where text needs them."""
_SEQUENCE = 8
"""Characters of the longest sequence that is checked as a whole: a flag with six tags and their end."""
_UNDECIDED = re.compile(f"[{_TAGS}{_JOINERS}]{{1,{_SEQUENCE - 2}}}\\Z")
"""Finds the characters at a text's end that may become part of a sequence with the next text."""


def replace_strays(text: str, *, replacement: str) -> str:
    """Return `text` with `replacement` for each tag, ZWJ and ZWNJ that is not where text needs it.

    A joiner has its place behind a letter of a script that joins (Arabic, the Indic family), ZWJ also between two
    emoji. Tags have it in the flag of a region: U+1F3F4, three to six tags, U+E007F.
    """
    if text.isascii() or text.isprintable():
        return text
    return _INVISIBLE.sub(lambda found: found[1] or replacement, text)


def _build_visible_table() -> dict[int, str]:
    """Map each character that must not reach a terminal to one that shows it was there."""
    table = {code: chr(0x2400 + code) for code in _C0}  # the Control Pictures block
    table[0x7F] = "\N{SYMBOL FOR DELETE}"
    table.update(dict.fromkeys(_BEYOND_ASCII, _REPLACEMENT))
    return table


_VISIBLE = _build_visible_table()
_VISIBLE_LINES = {code: shown for code, shown in _VISIBLE.items() if chr(code) != "\n"}


def make_visible(text: str) -> str:
    """Return `text` with a visible sign for each character that could steer a terminal; its length stays the same.

    C0 controls except tab become their control pictures (a terminal shows ``ESC``, and doesn't obey it); C1 controls,
    bidi controls, U+2028, U+2029, invisible formatters, lone surrogates, and strays (see `replace_strays`) become
    U+FFFD. Everything else passes.
    """
    return replace_strays(text.translate(_VISIBLE), replacement=_REPLACEMENT)


def _escape_in_json(text: str) -> str:
    """Return JSON's escape for each UTF-16 unit of `text`."""
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def escape_json(json: str) -> str:
    """Return `json`, made with ``ensure_ascii=False``, in a form that is safe on a terminal and has the same value.

    The characters that `make_visible` replaces become escapes (`dumps` has escaped C0 itself). All others stay UTF-8.
    """
    if json.isascii() and "\x7f" not in json:
        return json
    hidden = {code for code in map(ord, set(json)) if code == 0x7F or code in _BEYOND_ASCII}  # noqa: PLR2004  DEL
    if not hidden and json.isprintable():  # no stray, either
        return json
    escaped = json.translate({code: _escape_in_json(chr(code)) for code in hidden})
    return _INVISIBLE.sub(lambda found: found[1] or _escape_in_json(found[0]), escaped)


class TerminalText:
    """Turns a stream of bytes from a stranger into text that is safe on a terminal. Not thread-safe.

    The bytes are UTF-8, cut anywhere; other bytes become U+FFFD. Line feeds stay, CR LF becomes a line feed, a lone CR
    becomes visible (it would let a line overwrite the one on the screen).
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._before = ""  # the last characters that `feed` returned: they decide about a joiner behind them
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text that `data` completes; with `final` also the text that waited for more."""
        text = self._held + self._decoder.decode(data, final)
        if text.isascii() and not self._before and not text.endswith("\r"):
            self._held = ""
            return text.replace("\r\n", "\n").translate(_VISIBLE_LINES)
        return self._release(text, final=final)

    def _release(self, text: str, *, final: bool) -> str:
        """Return the part of `text` that can be shown, and hold back the rest."""
        end = len(text)
        if text.endswith("\r") and not final:
            end -= 1
        elif not final and (undecided := _UNDECIDED.search(text)):
            end = undecided.start()
        shown = replace_strays(self._before + text, replacement=_REPLACEMENT)[len(self._before) :][:end]
        self._before = (self._before + text[:end])[-_SEQUENCE:]
        if self._before.isascii():
            self._before = ""
        self._held = text[end:]
        return shown.replace("\r\n", "\n").translate(_VISIBLE_LINES)


_VALUE_ENDS = re.compile(r"(?<=\w)$(?=\n[A-Z])", re.MULTILINE)
"""Where a value ends that has a line of its own, and the next line begins a sentence."""


def is_whole_number(text: str) -> bool:
    """Return whether a text is 1 to 19 ASCII digits, which `int` converts.

    `str.isdigit` takes ``²``, too. `int` refuses that, and a number of thousands of digits.
    """
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def join_lines(text: str) -> str:
    """Return a message of several lines as one, with a full stop behind a value that ended a sentence by its line."""
    return " ".join(_VALUE_ENDS.sub(".", text).split())


def format_bytes(count: int) -> str:
    """Return a byte count for people: exact below 1 KiB, else with one decimal in KiB, MiB, GiB or TiB."""
    if count < _KIB:
        return format_count(count, "byte")
    size = float(count)
    units = iter(_UNITS)
    unit = next(units)
    size /= _KIB
    while size >= _ROUNDS_UP and unit != _UNITS[-1]:
        size /= _KIB
        unit = next(units)
    return f"{size:,.1f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a duration for people: in milliseconds below one second, else in seconds with one decimal."""
    return f"{seconds * 1000:.0f} ms" if seconds < _WHOLE_SECOND else f"{seconds:,.1f} s"


def format_delay(seconds: float) -> str:
    """Return a short duration for people: in microseconds below one millisecond, else as `format_seconds`."""
    return f"{seconds * 1e6:.0f} µs" if seconds < _WHOLE_MILLISECOND else format_seconds(seconds)


def format_age(seconds: float) -> str:
    """Return how long ago something was, for people, in the largest whole unit: ``3 minutes ago``."""
    for unit, size in _AGES:
        if seconds >= size:
            return f"{format_count(int(seconds / size), unit)} ago"
    return "just now"


def format_idle(seconds: int) -> str:
    """Return how long somebody has been silent, in the largest whole unit, as ``5m``; empty below a minute."""
    return next((f"{seconds // size}{unit[0]}" for unit, size in _AGES[:-1] if seconds >= size), "")


def format_count(count: int, noun: str, nouns: str = "") -> str:
    """Return a count and its noun, as ``1 portion`` or ``12,288 portions``; `nouns` is an irregular plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or noun + 's'}"


def clean(text: str) -> str:
    """Return `text` without controls and invisible formatters, and with a space for each line break.

    Controls are C0 except tab, DEL, C1, the bidi controls (U+061C, U+200E-F, U+202A-E, U+2066-9) and lone surrogates.
    Invisible formatters are U+00AD, U+180E, U+200B, U+2060-4, U+206A-F, U+FEFF, U+FFF9-B, U+1BCA0-3, U+1D173-A and
    the Hangul fillers (U+115F, U+1160, U+3164, U+FFA0). Line breaks are LF, VT, FF, CR, CR LF, NEL, U+2028 and
    U+2029. ZWNJ, ZWJ and tags stay where text needs them (`replace_strays`). Everything else passes.
    """
    if text.isascii():
        return text if text.isprintable() else text.replace("\r\n", "\n").translate(_CLEANED)
    # Python calls the fillers printable. Four searches are quicker than one by a pattern.
    fillers = "\u115f" in text or "\u1160" in text or "\u3164" in text or "\uffa0" in text
    if not fillers and text.isprintable():
        return text
    return replace_strays(text.replace("\r\n", "\n").translate(_CLEANED), replacement="")


def has_controls(text: str) -> bool:
    """Return whether `text` has a control character other than tab: C0, DEL or C1."""
    return _CONTROLS.search(text) is not None
