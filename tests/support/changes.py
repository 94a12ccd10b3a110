"""What commands print that change a store."""

import json
import subprocess
from typing import Any


def changed(run: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """Return the entries that a change with ``--json`` has printed."""
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout)
    assert list(printed) == ["changed"]
    entries: list[dict[str, Any]] = printed["changed"]
    return entries
