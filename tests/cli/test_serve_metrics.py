"""``--metrics``: the address, a port that is taken, and a library that is missing."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.running import TIMEOUT_S, UNMEASURED, echo_process, server_process, sockctl


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  the server's own address
        return str(answer.read().decode())


def test_sums_for_prometheus(tmp_path: Path) -> None:
    with echo_process("--metrics", "0", "--no-control") as (run, port):
        url = run.event("metrics_served")["url"]
        text = read(url)
        assert f'sockctl_server_info{{name="echo-{port}"' in text
        assert "sockctl_clients 0.0" in text
        assert run.end() == 0
    with server_process("auth", "--metrics", "0", "--data-dir", str(tmp_path / "data")) as (run, _):
        assert "sockctl_hashes_waiting 0.0" in read(run.event("metrics_served")["url"])


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = sockctl("serve", "echo", "--port", "0", "--metrics", str(port))
    assert run.returncode == 1
    said = run.stderr.decode().splitlines()[-1]
    assert f"Port {port} is taken" in said
    assert "choose another --metrics " in said


def test_without_the_library(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('no', name='prometheus_client')\n")
    run = sockctl("serve", "echo", "--port", "0", "--metrics", "0", env={**UNMEASURED, "PYTHONPATH": str(tmp_path)})
    assert run.returncode == 1
    assert run.stderr.startswith(b"sockctl: --metrics needs the library prometheus_client, which isn't installed: ")
    assert run.stderr.endswith(b"pip install 'sockctl[metrics]' brings it.\n")


def test_the_library_is_loaded_by_its_option_alone() -> None:
    code = (
        "import sys, json; import sockctl.cli.serve, sockctl.cli.serve_runner, sockctl.net.status;"
        "print(json.dumps([name for name in sys.modules if name.startswith(('prometheus', 'wsgiref'))]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=UNMEASURED)
    assert json.loads(run.stdout) == []
