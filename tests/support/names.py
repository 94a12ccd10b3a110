"""Names and texts for tests of the rule for names, in many scripts."""

import string

from hypothesis import strategies as st

from sockctl.errors import NameRefusedError
from sockctl.protocol.names import check_name

_ALPHABETS = (
    string.ascii_letters + string.digits + "_.-",
    "acehiopxyjsABCEHIKMOPTXYlI10" + "éößñİıǃ",
    "асеһіорхујѕвнкмтАВСЕНІКМОРТХУЈЅ" + "0_",
    "αγικνορυωςσΑΒΕΖΗΙΚΜΝΟΡΤΥΧΣ" + "1.",
    "ոօսցհՕՍԼ",
    "ႽჿაბგႠ",
    "小明土士口囗日曰工力夕卜二八ハカロニエタトへヘー一〇",
    "한국인",
    "\u0627\u0628\u0647\u06c1\u0648\u0651\u0661\u06f1\u200c",
    "\u05d0\u05d5\u05d9\u05e1\u05df1",
    "कषम\u094d\u093e\u0902\u200d१",
    "ＡＢａｂ１ｶﾞ",
    "e\u0301o\u0308a\u030a",
    "ꓮꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝ",
)
TEXTS = (
    st.one_of([st.text(alphabet, max_size=12) for alphabet in _ALPHABETS])
    | st.text(st.sampled_from("aZ09_.- \n\u202e\x1bäж小"), max_size=40)
    | st.text(st.characters(categories=("L", "M", "N")), max_size=8)
    | st.text()
)
"""Texts, of which many are names."""


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except NameRefusedError:
        return False
    return True


NAMES = st.one_of([st.text(alphabet, min_size=1, max_size=6) for alphabet in _ALPHABETS]).filter(_is_name)
"""Texts that are names, of which many look alike."""
