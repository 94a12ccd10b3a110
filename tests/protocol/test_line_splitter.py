from sockctl.protocol.line_splitter import LineSplitter


def test_lines_of_bytes() -> None:
    splitter = LineSplitter(limit=1_000)
    assert splitter.feed("ß".encode()[:1]) == []
    assert splitter.feed("ß".encode()[1:] + b"\r\nne") == ["ß"]
    assert splitter.open == "ne"
    assert splitter.feed(b"") == ["ne"]
    assert splitter.feed(b"") == []
    assert splitter.feed(b"a\n\nb\n") == ["a", "", "b"]


def test_a_line_without_end_costs_no_more_than_its_limit() -> None:
    splitter = LineSplitter(limit=5)
    for _ in range(1000):
        assert splitter.feed(b"abc") == []
    assert splitter.open == "abcab"
    assert splitter.feed(b"\nnext line\nx") == ["abcab", "next "]
    assert splitter.open == "x"
    whole = LineSplitter(limit=30_000)
    for _ in range(30_000):
        whole.feed(b"a")
    assert whole.feed(b"\n") == ["a" * 30_000]


def test_what_was_dropped_of_a_line_is_counted() -> None:
    splitter = LineSplitter(limit=3)
    assert splitter.feed(b"abcd\nabc\nabcd") == ["abc", "abc"]
    assert splitter.dropped == [1, 0]
    assert splitter.feed(b"efg") == []
    assert splitter.dropped == []
    assert splitter.feed(b"") == ["abc"]
    assert splitter.dropped == [4]


def test_other_bytes() -> None:
    assert LineSplitter(limit=9).feed(b"a\xff\n") == ["a\ufffd"]
    [line] = LineSplitter(limit=9, errors="surrogateescape").feed(b"a\xff\n")
    assert line.encode(errors="surrogateescape") == b"a\xff"
