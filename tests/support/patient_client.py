"""Runs ``connect`` on a terminal, to a port of this machine, with a first line that waits long for a greeting.

The usual 0.3 s are soon over where the machine is busy.
"""

import sys

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.runner import run_session
from sockctl.client.settings import ClientSettings
from sockctl.net.address import Endpoint
from tests.support.running import TIMEOUT_S

if __name__ == "__main__":
    host, _, port = sys.argv[-1].rpartition(":")
    settings = ClientSettings(
        terminal=True, messages=None, plain="--plain" in sys.argv, session=False, first_line_held_s=TIMEOUT_S
    )
    if not run_session([Endpoint(host, int(port))], settings, None):
        sys.exit(ExitCode.INTERRUPTED)
