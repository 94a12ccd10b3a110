"""The pattern that finds the user's name as a word in a text, in any script."""

import functools
import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
    "\u3005-\u3007\u3040-\u312f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Bopomofo, Han
)
"""Letters of scripts that put no space between words."""
_ENDLESS = f"{_UNSPACED}\uac00-\ud7a3"
"""Letters after which a word may go on: also those of Korean, which puts particles behind a name."""
_LETTER = "[0-9A-Za-z_]"


def compile_mention(name: str) -> re.Pattern[str]:
    """Return the pattern of a name as a word, in any case, composed or not.

    A dot or a hyphen behind the name ends the word, unless a letter follows. Where a script has no space between words,
    the name is found anywhere.
    """
    forms = dict.fromkeys(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    words = "|".join(map(re.escape, forms))
    letter = rf"\w{'' if name.isascii() else _find_marks()}"
    before, after = rf"(?<![{letter}])(?<![{letter}][.-])", rf"(?![{letter}]|[.-][{letter}])"
    if re.search(f"[{_UNSPACED}]", name):
        before, after = f"(?<!{_LETTER})", f"(?!{_LETTER})"
    if re.match(f"[{_UNSPACED}]", name):
        before = ""
    if re.search(rf"[{_ENDLESS}]\Z", name):
        after = ""
    return re.compile(f"{before}(?:{words}){after}", re.IGNORECASE)


@functools.cache
def _find_marks() -> str:
    """Return the marks that stand on letters, which Python counts as no letters; ancient scripts are left out."""
    return "".join(one for one in map(chr, range(0x300, 0x10000)) if unicodedata.category(one)[0] == "M")
