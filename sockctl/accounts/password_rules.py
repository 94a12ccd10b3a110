"""The rules for new passwords: how long they are, and how hard to guess.

zxcvbn estimates the guesses. It is slow, and a stranger chooses its input, so this module bounds its work: zxcvbn gets
the first `LOOKED_AT` characters, and at most one symbol that could stand for a letter. A check then takes some 40 ms.
The rest counts for nothing: a password is good if its beginning is.
"""

import re
import threading
import unicodedata
from typing import Any

from sockctl.accounts.password_normalization import normalize_password
from sockctl.errors import PasswordRefusedError, WeakPasswordError

MIN_LENGTH = 12
"""Characters in a new password by default."""
LEAST_MIN_LENGTH = 8
"""The smallest least length that an operator may set (NIST SP 800-63B, 5.1.1.1)."""
LOOKED_AT = 28
"""Characters whose strength zxcvbn estimates; its time grows with the square. Four words fill them."""
_LONGEST_WORD = 20
"""The longest word that the cut may have left unfinished: zxcvbn takes its letters for random ones."""
_LAST_WORD = re.compile(r"\w+\Z")
_MAX_SYMBOLS = 1
"""Different symbols that zxcvbn may try as letters: each further one at least doubles the time.

A password with more symbols is estimated twice, with letters in their place, and with the digits of their keys.
Neither may be easy.
"""
_AS_LETTERS = str.maketrans("@({[<!|$+%", "acccciistx")
_UNSHIFTED = str.maketrans("!@#$%^&*(){<|+", "1234567890[,\\=")
ENOUGH_GUESSES = 1_000_000_000
"""Guesses that a new password must withstand.

A thief of the hashes tries some 6 a second on a core (argon2id, 64 MiB, 3 passes): half of them take 2.6 years.
zxcvbn gives its own step, 10**8, to any three weak pieces in a row, such as a name, a surname and a year.
"""
_UNRECOGNISED_GUESSES = 10**LEAST_MIN_LENGTH
"""The same for a text in which zxcvbn recognises nothing: its 10 guesses a character are far too few."""
_LEAST_REST = 8
"""Characters that a password must have beside the name."""
_LEAST_KNOWN = 3
"""Characters of the shortest name that a password may not be built on."""
_PROGRAM = "sockctl"
_NEAR_YEAR = re.compile(r"20[2-4](?=\d)")
"""The years after 2019, which zxcvbn doesn't know as years."""
_REASONS = {
    "passwords": "it is, or is built on, one of the most common passwords",
    "user_inputs": "it is built on the name, or on the program's",
    "female_names": "it is built on a common name",
    "male_names": "it is built on a common name",
    "surnames": "it is built on a common name",
    "dictionary": "it is made of few, or common, words",
    "spatial": "its keys lie beside each other",
    "repeat": "it repeats itself",
    "sequence": "it follows a sequence, such as abc or 4321",
    "regex": "it is built on a year",
    "date": "it is built on a date",
}
_ADVICE = "Take, for instance, four words that have nothing to do with each other."
_Weakness = tuple[str, float]
"""Why a password is easy to guess, and how many guesses find it."""
_one_at_a_time = threading.Lock()
"""Guards zxcvbn, which puts each call's names into a dictionary of its module; held for one bounded calculation."""


def check_new(password: str, *, name: str, min_length: int = MIN_LENGTH) -> str:
    """Return a new password, normalized. Takes up to some 40 ms of a core; threads may share it.

    Args:
        password: The password as the user typed it.
        name: The name of its user.
        min_length: Characters that it must have, `LEAST_MIN_LENGTH` or more.

    Raises:
        PasswordRefusedError: As for `normalize_password`; or the password is too short, or little more than the name.
        WeakPasswordError: The password is easy to guess.
        ValueError: `min_length` is too small.
    """
    if min_length < LEAST_MIN_LENGTH:
        raise ValueError(f"min_length can't be less than {LEAST_MIN_LENGTH}")
    text = normalize_password(password)
    if len(text) < min_length:
        raise PasswordRefusedError(f"The password is too short: it must have {min_length} characters or more.")
    plain = _simplify(text)
    if len(_remove_known(plain, name)) < _LEAST_REST:
        raise PasswordRefusedError(f"The password is little more than the name, or the program's. {_ADVICE}")
    # A repeated text is as good as one copy, which zxcvbn sees in short texts only.
    once = plain[: _find_period(plain.lower())]
    if weakness := _find_weakness(once, name):
        reason, guesses = weakness
        reason = reason if once == plain else _REASONS["repeat"]
        message = f"The password is easy to guess: {reason}. {_ADVICE}"
        raise WeakPasswordError(message, guesses=guesses, needed=ENOUGH_GUESSES)
    return text


def _simplify(text: str) -> str:
    """Return `text` in the letters of the word lists: no accents, no full-width forms; its length stays."""
    bases = ((character, unicodedata.normalize("NFKD", character)[0]) for character in text)
    return "".join(base if base.isascii() else character for character, base in bases)


def _remove_known(text: str, name: str) -> str:
    """Return `text` without the name or the program's, forwards and backwards."""
    text, name = text.lower(), name.lower()
    for known in (name, name[::-1], _PROGRAM):
        if len(known) >= _LEAST_KNOWN:
            text = text.replace(known, "")
    return text


def _find_period(text: str) -> int:
    """Return the length of the piece that `text` repeats, the last copy maybe cut; its own length if it repeats none.

    Linear: the failure function of Knuth, Morris and Pratt.
    """
    borders = [0] * len(text)
    for index in range(1, len(text)):
        border = borders[index - 1]
        while border and text[border] != text[index]:
            border = borders[border - 1]
        borders[index] = border + (text[border] == text[index])
    period = len(text) - borders[-1]
    return period if 2 * period <= len(text) else len(text)


def _find_weakness(text: str, name: str) -> _Weakness | None:
    """Return why the beginning of `text` is easy to guess, or None."""
    seen = _NEAR_YEAR.sub("201", text[:LOOKED_AT])
    readings = [seen]
    if len({character for character in seen if ord(character) in _AS_LETTERS}) > _MAX_SYMBOLS:
        readings = [seen.translate(_AS_LETTERS), seen.translate(_UNSHIFTED)]
    found = (_find_weakness_of(reading, name, cut=len(text) > LOOKED_AT) for reading in readings)
    return next((weakness for weakness in found if weakness), None)


def _find_weakness_of(seen: str, name: str, *, cut: bool) -> _Weakness | None:
    """Return why `seen` is easy to guess, or None; ignore an unfinished word at its end if it is `cut`."""
    sequence, guesses = _estimate(seen, name)
    if cut:  # zxcvbn takes the rest of the last word for random characters
        whole = len(_LAST_WORD.sub("", seen))
        seen = seen[: max(whole, sequence[-1]["i"], LOOKED_AT - _LONGEST_WORD)]
        sequence, guesses = _estimate(seen, name)
    unrecognised = len(sequence) == 1 and sequence[0]["pattern"] == "bruteforce"
    if guesses >= (_UNRECOGNISED_GUESSES if unrecognised else ENOUGH_GUESSES):
        return None
    longest = max(sequence, key=lambda match: len(match["token"]) if match["pattern"] in _REASONS else 0)
    kinds = (longest.get("dictionary_name"), longest["pattern"])
    return next((_REASONS[kind] for kind in kinds if kind in _REASONS), "there is too little in it"), guesses


def _estimate(text: str, name: str) -> tuple[list[dict[str, Any]], float]:
    """Return the pieces that zxcvbn finds in `text`, from left to right, and the guesses that it needs."""
    from zxcvbn import zxcvbn

    with _one_at_a_time:
        result = zxcvbn(text, user_inputs=[name, _PROGRAM])
    return result["sequence"], result["guesses"]
