"""Certificates and keys that openssl makes, for tests."""

import subprocess
from pathlib import Path

from tests.support.running import TIMEOUT_S
from tests.support.tools import tool


def openssl(*arguments: str | Path) -> str:
    command = [tool("openssl", "openssl"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout


def make_pair(folder: Path, name: str, *kind: str) -> tuple[Path, Path]:
    """Return a certificate and a key that openssl made."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    arguments = ("req", "-x509", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    openssl(*arguments, *(kind or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")))
    return certificate, key
