"""The chat beside its peers for ten times as long: ``python -m tests.benchmarks.longer FOLDER``.

FOLDER is the project's shared bench folder. Its `chat` is over after 2,000 messages, which a fast server has told to
100 members within 50 ms. A virtual machine that was idle before may run at half its speed for just so long, until its
cores are spread over the host's; whoever is slower sees more of the time after that. So this sends 20,000.
"""

import importlib
import sys
from pathlib import Path

SCENARIO = "chat"
ROUNDS = 5


def main(folder: str) -> int:
    """Let the shared program measure and print it."""
    sys.path.insert(0, folder)
    compare = importlib.import_module("compare")
    members, senders, messages, window = compare.CHAT[SCENARIO]
    compare.CHAT[SCENARIO] = (members, senders, 10 * messages, window)
    sockctl = str(Path(sys.executable).parent / "sockctl")
    sys.argv = ["compare.py", "--sockctl", sockctl, "--rounds", str(ROUNDS), "--peers", "ngircd,ncat", SCENARIO]
    code: int = compare.main()
    return code


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).resolve())))
