"""The chat beside its peers for ten times as long: ``python -m tests.benchmarks.longer [FOLDER]``.

FOLDER is the project's shared bench folder, ``../shared/bench`` where it isn't given. Its `chat` is over after 2,000
messages, which a fast server has told to 100 members within 50 ms. A virtual machine that was idle before may run at
half its speed for just so long, until its cores are spread over the host's; whoever is slower sees more of the time
after that. So this sends 20,000.
"""

import importlib
import sys
from pathlib import Path

from tests.benchmarks.serving import INSTALLED

SCENARIO = "chat"
ROUNDS = 5


def main(folder: Path) -> int:
    """Let the shared program measure and print it."""
    sys.path.insert(0, str(folder.resolve()))
    compare = importlib.import_module("compare")
    members, senders, messages, window = compare.CHAT[SCENARIO]
    compare.CHAT[SCENARIO] = (members, senders, 10 * messages, window)
    sys.argv = ["compare.py", "--sockctl", INSTALLED, "--rounds", str(ROUNDS), "--peers", "ngircd,ncat", SCENARIO]
    code: int = compare.main()
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/bench")))
