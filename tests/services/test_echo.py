import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.services.echo import CASED_BELOW, Case, CaseEcho, CaseMapper, Echo, map_datagram


def mapped(case: Case, pieces: list[bytes]) -> bytes:
    mapper = CaseMapper(case)
    return b"".join(mapper.feed(piece) for piece in pieces) + mapper.feed(b"", final=True)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(st.text(), st.lists(st.integers(0, 5)), st.sampled_from(Case))
def test_text_does_not_depend_on_the_cuts(text: str, sizes: list[int], case: Case) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert mapped(case, cut(data, sizes)) == mapped(case, [data])


@given(st.binary(), st.lists(st.integers(0, 5)), st.sampled_from(Case))
def test_bytes_do_not_depend_on_the_cuts(data: bytes, sizes: list[int], case: Case) -> None:
    assert mapped(case, cut(data, sizes)) == mapped(case, [data])


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_upper_is_pythons_upper(text: str) -> None:
    assert mapped(Case.UPPER, [text.encode()]) == text.upper().encode()


@pytest.mark.parametrize(
    ("case", "data", "result"),
    [
        (Case.UPPER, "straße, ünï".encode(), "STRASSE, ÜNÏ".encode()),
        (Case.LOWER, "ΟΔΟΣ".encode(), "οδοσ".encode()),
        (Case.LOWER, b"ABC", b"abc"),
        (Case.UPPER, b"\xff\xfea\xc3", b"\xff\xfeA\xc3"),
    ],
)
def test_cases(case: Case, data: bytes, result: bytes) -> None:
    assert mapped(case, [bytes([byte]) for byte in data]) == result


@pytest.mark.parametrize("case", Case)
def test_no_datagram_gets_longer(case: Case) -> None:
    further = "".join(map(chr, range(CASED_BELOW, 0x110000)))
    assert further.upper() == further.lower() == further
    for code in (*range(0xD800), *range(0xE000, CASED_BELOW)):
        char = chr(code)
        data, wanted = char.encode(), mapped(case, [char.encode()])
        answer = map_datagram(case, memoryview(data))
        assert answer == (wanted if len(wanted) <= len(data) else data), hex(code)


@given(data=st.binary(max_size=40))
def test_any_datagram(data: bytes) -> None:
    assert len(map_datagram(Case.UPPER, memoryview(data))) <= len(data)
    assert map_datagram(Case.LOWER, memoryview(b"\xff" + data)).startswith(b"\xff")


def test_what_it_does() -> None:
    assert "comes back" in Echo().does
    assert "in upper case" in CaseEcho(Case.UPPER).does
