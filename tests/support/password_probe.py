"""sockctl with one more command, which takes a password and prints it so that it can't be mistaken for its echo."""

import sys

import typer

from sockctl.accounts.password_normalization import normalize_password
from sockctl.cli import options
from sockctl.cli.app import app, run
from sockctl.cli.passwords import PasswordFile, PasswordStdin, read_password


@app.command()
def probe(
    *,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    twice: bool = False,
    no_input: options.NoInput = False,
) -> None:
    password = read_password(
        "Password", check=normalize_password, stdin=password_stdin, file=password_file, twice=twice, no_input=no_input
    )
    rest = b"" if not password_stdin else sys.stdin.buffer.read()
    typer.echo(f"taken: {password.encode().hex()} left: {rest.hex()}")


if __name__ == "__main__":
    sys.exit(run())
