from tests.benchmarks.web import Peer, describe


def test_ratios_are_of_the_same_round() -> None:
    own, other = Peer([]), Peer([])
    for ours, theirs in ((10.0, 5.0), (2.0, 2.0), (9.0, 3.0)):
        own.note(per_s=ours)
        other.note(per_s=theirs)
    other.lost = 7
    lines = [line.split() for line in describe({"sockctl": own, "ws": other})]
    assert lines == [
        ["per_s", "sockctl/this"],
        ["sockctl", "9.00"],
        ["ws", "3.00", "2.00", "(1.00", "to", "3.00)", "7", "lost"],
    ]
