"""``sockctl users …``: the users who may log in."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.completion import complete_users
from sockctl.cli.passwords import PasswordFile, PasswordStdin, read_password
from sockctl.cli.prompts import confirm
from sockctl.cli.tables import print_list, print_result

if TYPE_CHECKING:
    from sockctl.accounts.accounts import Accounts

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and change who may log in at 'serve auth'. A server that runs sees the change within 2 s.",
    epilog="Example: sockctl users add ann",
)

_STATES = {False: "enabled", True: "disabled"}
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The user.", show_default=False, autocompletion=complete_users)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """The options of a command that sets a password, by the names that users write."""

    password_stdin: PasswordStdin = False
    password_file: PasswordFile = None
    min_length: options.MinLength = options.DEFAULT_MIN_LENGTH
    json: options.Json = False
    data_dir: options.DataDir = None
    no_input: options.NoInput = False

    def read(self, question: str, name: str) -> str:
        """Return a new password for the user `name`. Raises what `read_password` raises."""
        from sockctl.accounts.password_rules import check_new

        return read_password(
            question,
            stdin=self.password_stdin,
            file=self.password_file,
            twice=True,
            no_input=self.no_input,
            check=lambda typed: check_new(typed, name=name, min_length=self.min_length),
        )


with_new_password = functools.partial(options.with_option_group, name="new", group=NewPassword)


@app.command(epilog="Examples: sockctl users add ann, in a script: sockctl users add ann --password-file FILE")
@with_new_password
def add(name: Name, *, new: NewPassword) -> None:
    """Add a user, with a password that is asked for twice.

    Only its argon2id hash is kept, in users.json in the data directory. Short passwords, common ones, those that are
    easily guessed and those like the name are refused.
    """
    accounts = open_accounts(new.data_dir)
    name = accounts.check_free_name(name)
    password = new.read(f"Password for {name}", name)
    user = accounts.add(name, password, min_length=new.min_length)
    print_result(user.as_fields, f"{name} is a user now.", json=new.json)


@app.command(name="list", epilog="Example: sockctl users list --json")
def list_users(*, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """List the users. Shown are the name, when it was added and got its password (UTC), and whether it may log in."""
    users = [user.as_fields for user in open_accounts(data_dir).users.all()]
    titles = ("NAME", "CREATED", "PASSWORD SET", "STATE")
    rows = ((one["name"], one["created"], one["changed"], _STATES[one["disabled"]]) for one in users)
    empty = "There are no users yet: 'sockctl users add NAME' makes one."
    print_list(users, titles, rows, empty=empty, json=json)


@app.command(epilog="Example: sockctl users passwd ann")
@with_new_password
def passwd(name: Name, *, new: NewPassword) -> None:
    """Give a user another password. All sessions and connections of that user end."""
    accounts = open_accounts(new.data_dir)
    user = accounts.users.get(name)
    password = new.read(f"New password for {user.name}", user.name)
    user = accounts.set_password(user.name, password, min_length=new.min_length)
    print_result(user.as_fields, f"{user.name} has another password now; all sessions have ended.", json=new.json)


@app.command(epilog="Example: sockctl users disable ann")
def disable(name: Name, *, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """Keep a user out. All sessions and connections of that user end."""
    user = open_accounts(data_dir).disable(name)
    print_result(user.as_fields, f"{user.name} may not log in any more; all sessions have ended.", json=json)


@app.command(epilog="Example: sockctl users enable ann")
def enable(name: Name, *, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """Let a user in again, with the password as it was."""
    user = open_accounts(data_dir).users.enable(name)
    print_result(user.as_fields, f"{user.name} may log in.", json=json)


@app.command(epilog="Example: sockctl users remove ann --yes")
def remove(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.", show_default=False)] = False,
    json: options.Json = False,
    data_dir: options.DataDir = None,
    no_input: options.NoInput = False,
) -> None:
    """Remove a user. All sessions and connections of that user end.

    Nobody can sign up or chat under the name from then on; 'sockctl users add' gives it to somebody again.
    """
    accounts = open_accounts(data_dir)
    user = accounts.users.get(name)
    if not yes and not confirm(f"Remove {user.name} for good?", no_input=no_input, option="--yes"):
        typer.echo(f"{user.name} was not removed.")
        raise typer.Exit(1)
    print_result(accounts.remove(name).as_fields, f"{user.name} is removed.", json=json)


@app.command(epilog="Example: sockctl users verify ann --password-stdin < FILE")
def verify(
    name: Name,
    *,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    json: options.Json = False,
    data_dir: options.DataDir = None,
    no_input: options.NoInput = False,
) -> None:
    """See whether a password is the user's: exit 0 if it is, 4 if not. A disabled user's never is."""
    from sockctl.errors import LoginFailedError

    accounts = open_accounts(data_dir)
    user = accounts.users.get(name)
    password = read_password(
        f"Password of {user.name}", stdin=password_stdin, file=password_file, twice=False, no_input=no_input, check=str
    )
    if user.disabled:
        raise LoginFailedError(f"{user.name} is disabled: 'sockctl users enable {user.name}' lets the user in again.")
    if not accounts.verify(user, password):
        raise LoginFailedError(f"That is not the password of {user.name}.")
    print_result(user.as_fields, f"That is the password of {user.name}.", json=json)


def open_accounts(data_dir: Path | None) -> "Accounts":
    """Return the accounts in the chosen data directory, or the usual one."""
    from sockctl.accounts.accounts import Accounts
    from sockctl.paths import data_dir as place_of_data

    return Accounts(place_of_data(data_dir))
