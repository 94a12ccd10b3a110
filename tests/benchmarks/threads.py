"""Two event threads beside one, without the GIL: ``python -m tests.benchmarks.threads [INTERPRETER]``.

INTERPRETER is a free-threaded one that this package is installed for; ``.venv-t/bin/python`` where it isn't given. Its
echo with two event threads is measured beside the same with one, and beside that of the interpreter that runs this.
"""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.serving import serving
from tests.support.running import SOCKCTL, UNMEASURED

INTERPRETER = Path(".venv-t/bin/python")
WHO = "import sys, sysconfig; print(sys.version.split()[0], sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"


def main(interpreter: str) -> int:
    """Print a table of each comparison; return 1 where something was lost."""
    version, free = subprocess.run([interpreter, "-c", WHO], check=True, capture_output=True, text=True).stdout.split()
    print(f"Python {version}, {'free-threaded' if free == '1' else 'with the GIL'}, beside {sys.version.split()[0]}")
    with contextlib.ExitStack() as stack:

        def started(python: str, threads: int) -> str:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            options = ("--quiet", "--event-threads", str(threads))
            port, _ = stack.enter_context(serving(folder, "echo", *options, interpreter=python))
            return f"127.0.0.1:{port}"

        two = started(interpreter, 2)
        codes = []
        for name, other in {"one event thread": started(interpreter, 1), "the GIL": started(sys.executable, 1)}.items():
            print(f"\ntwo event threads beside {name}", flush=True)
            measure = [*SOCKCTL, "bench", "echo", two, "--compare", other, "--clients", "30"]
            codes.append(subprocess.run(measure, check=False, env=UNMEASURED).returncode)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else str(INTERPRETER)))
