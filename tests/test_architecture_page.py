"""The architecture page keeps up with the code: what it names is there, and each room has its line."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sockctl"
PAGE = (PACKAGE / "README.md").read_text()
QUOTED = re.compile(r"`([\w./-]+(?:\.(?:py|md)|/))`")
PICTURE = PAGE.partition("```\n")[2].partition("```")[0]


def test_every_file_that_is_named_exists() -> None:
    named = set(QUOTED.findall(PAGE))
    assert len(named) > 40
    assert not {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()}


def test_every_room_stands_in_the_picture() -> None:
    rooms = {path.name for path in PACKAGE.glob("*.py")} | {
        f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")
    }
    assert {room for room in rooms if room not in PICTURE} == set()
