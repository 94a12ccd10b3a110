"""The members of the cluster's tests themselves, in a chat on one machine: what they live through is without flaw."""

from pathlib import Path

from tests.support.chat_checker import check
from tests.support.cluster_manner import Manner
from tests.support.cluster_members import Member
from tests.support.cluster_talk import ask_who, members
from tests.support.running import START_S, server_process, wait_until

ROOMS = ("#lobby", "#harbour")
RULES = ("--no-flood-limit", "--history", "10000")


def test_members_who_move_all_the_time_miss_nothing(tmp_path: Path) -> None:
    with server_process("chat", *RULES, "--data-dir", str(tmp_path)) as (_, port):
        steady, restless = Manner(every_s=0.02), Manner(every_s=0.02, hops_every_s=0.3, shows_blocks=False)
        some = [
            Member(name, [port], ROOMS, manner, seed=1)
            for name, manner in (("ann", steady), ("bob", restless), ("cem", restless))
        ]
        with members(some):
            wait_until(lambda: all(each.is_in for each in some))
            for each in some:
                each.is_talking.set()
            wait_until(lambda: all(len(each.seen) == len(ROOMS) for each in some))
            for each in some:
                each.is_hopping.set()
            wait_until(lambda: all(each.transcript.arrivals > 4 for each in some[1:]), timeout_s=START_S)
            wait_until(lambda: len(some[0].transcript.heard) > 50)
            some[0].move()
            wait_until(lambda: some[0].transcript.arrivals > 1)
            for each in some:
                each.is_talking.clear()
                each.is_hopping.clear()
            wait_until(lambda: all(each.has_heard_its_words and each.seen == some[0].seen for each in some))
            assert ask_who(some, ROOMS), "each has come to its rooms"
            assert ask_who(some, ROOMS), "and was told of all who have"
            transcripts = [each.transcript.copy() for each in some]
        assert check(transcripts, rooms=ROOMS) == []
        assert {one.line for one in transcripts[0].heard} == {one.line for one in transcripts[1].heard}
