"""Servers that ask for passwords: what they refuse, and their port."""

import socket
import subprocess
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.running import TIMEOUT_S, server_process, sockctl
from tests.support.tools import tool


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])  # noqa: S104  nothing listens there
def test_no_password_goes_over_a_network_in_clear(tmp_path: Path, host: str) -> None:
    run = sockctl("serve", "auth", "--port", "0", "--host", host, "--data-dir", str(tmp_path))
    assert run.returncode == ExitCode.USAGE
    assert b"in clear: add --tls" in run.stderr
    assert b"--insecure" in run.stderr


def test_it_listens_everywhere_with_tls_or_where_insecure_says_so(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    data = ("--data-dir", str(tmp_path))
    with server_process("auth", *data, "--host", "", "--insecure") as (run, _):
        assert run.end() == 0
    with server_process("auth", *data, "--host", "", "--tls") as (run, port):
        client = subprocess.run(
            [tool("openssl", "openssl"), "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{port}"],
            input=f"ann\n{PASSWORD}\nwhoami\nexit\n".encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert b"You are ann" in client.stdout
        assert run.end() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_its_port_is_its_own_on_both_loopback_addresses_or_none(tmp_path: Path, host: str) -> None:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        port = taken.getsockname()[1]
        run = sockctl("serve", "auth", "--port", str(port), "--data-dir", str(tmp_path))
    assert run.returncode == ExitCode.FAILED
    assert f"Port {port} is taken on {host} by ".encode() in run.stderr
    assert b"strict-port" not in run.stderr
