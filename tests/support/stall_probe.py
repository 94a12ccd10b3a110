"""A process that serves a chat whose pings come soon, to be stopped for a while; it prints its port."""

import sys
from pathlib import Path

from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.running import running

SILENT_S, ANSWER_S = 1.0, 5.0


def main() -> None:
    limits = ChatLimits(silent_s=SILENT_S, answer_s=ANSWER_S, stall_s=1.0)
    with running(Chat(Path(sys.argv[1]), ChatRules(), limits=limits)) as run:
        print(run.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
