from sockctl.cli.plain_help import find_term_width, format_rows, wrap_paragraph
from tests.support.running import sockctl


def test_a_default_and_a_range_share_their_brackets() -> None:
    help_text = " ".join(sockctl("serve", "echo", "--help").stdout.decode().split())
    assert "[default: 4096; 0" in help_text
    assert "] [" not in help_text.partition("Examples:")[0].partition("Options:")[2]


def test_a_paragraph_breaks_at_spaces_only() -> None:
    text = "Options such as --max-clients-per-address stay\nwhole in a narrow terminal."
    assert wrap_paragraph(text, 20).splitlines() == [
        "Options such as",
        "--max-clients-per-address",
        "stay whole in a",
        "narrow terminal.",
    ]


def test_each_example_begins_a_line_and_hangs_where_it_is_long() -> None:
    text = "Examples:\n  sockctl serve echo\n  sockctl connect localhost 9090"
    assert wrap_paragraph(text, 24).splitlines() == [
        "Examples:",
        "  sockctl serve echo",
        "  sockctl connect",
        "    localhost 9090",
    ]


def test_a_sentence_stands_beside_its_name_where_there_is_room() -> None:
    rows = [("--host HOST", "Where to listen, by name or address."), ("--max-clients-per-address N", "Clients.")]
    term = find_term_width({"Options": rows})
    assert list(format_rows(rows, term, 46)) == [
        "  --host HOST  Where to listen, by name or",
        "               address.",
        "  --max-clients-per-address N",
        "               Clients.",
    ]
    assert list(format_rows(rows, term, 30)) == [
        "  --host HOST",
        "      Where to listen, by name",
        "      or address.",
        "  --max-clients-per-address N",
        "      Clients.",
    ]
