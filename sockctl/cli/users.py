"""``sockctl users …``: the users who may log in."""

import functools
from dataclasses import dataclass
from typing import Annotated

import typer

from sockctl.cli import options
from sockctl.cli.account_stores import StoreOptions, with_store_options
from sockctl.cli.changes import IfMissing, RemovalOptions, print_changes, tolerate, with_removal_options
from sockctl.cli.commands import declare_group
from sockctl.cli.completion import complete_users
from sockctl.cli.passwords import PasswordFile, PasswordStdin, read_password
from sockctl.cli.tables import print_json, print_list, print_sentences
from sockctl.errors import LoginFailedError, NameTakenError, OptionError, UnknownUserError
from sockctl.text import format_count

app = declare_group(
    "See and change who may log in at 'serve auth'. A server that runs sees the change within 2 s.",
    "Example:\n  sockctl users add ann",
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
    no_input: options.NoInput = False
    store: StoreOptions

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


@app.command(epilog="Examples:\n  sockctl users add ann\n  sockctl users add ann --password-file FILE")
@with_new_password
def add(name: Name, *, if_missing: IfMissing = False, new: NewPassword) -> None:
    """Add a user, with a password that is asked for twice.

    Only its argon2id hash is kept, in users.json in the data directory. Short passwords, common ones, those that are
    easily guessed and those like the name are refused.
    """
    accounts = new.store.open()
    with tolerate(NameTakenError, f"{name} is a user already.", wanted=if_missing, json=new.json):
        name = accounts.check_free_name(name)
        password = new.read(f"Password for {name}", name)
        user = accounts.add(name, password, min_length=new.min_length)
        print_changes([user.as_fields], f"{name} is a user now.", json=new.json)


@app.command(name="list", epilog="Example:\n  sockctl users list --json")
@with_store_options
def list_users(*, json: options.Json = False, store: StoreOptions) -> None:
    """List the users. Columns: name, when it was added, when its password was set (UTC), and whether it may log in."""
    users = [user.as_fields for user in store.open().users.list_all()]
    titles = ("NAME", "CREATED", "PASSWORD SET", "STATE")
    rows = ((one["name"], one["created"], one["changed"], _STATES[one["disabled"]]) for one in users)
    empty = "There are no users yet: 'sockctl users add NAME' makes one."
    print_list(users, titles, rows, empty=empty, json=json)


@app.command(epilog="Example:\n  sockctl users passwd ann")
@with_new_password
def passwd(name: Name, *, new: NewPassword) -> None:
    """Give a user another password. All sessions and connections of that user end."""
    accounts = new.store.open()
    user = accounts.users.get(name)
    password = new.read(f"New password for {user.name}", user.name)
    user = accounts.set_password(user.name, password, min_length=new.min_length)
    print_changes([user.as_fields], f"{user.name} has another password now; all sessions have ended.", json=new.json)


@app.command(epilog="Example:\n  sockctl users disable ann")
@with_store_options
def disable(name: Name, *, json: options.Json = False, store: StoreOptions) -> None:
    """Keep a user out. All sessions and connections of that user end."""
    accounts = store.open()
    before, user = accounts.users.get(name), accounts.disable(name)
    if before.disabled:
        print_changes([], f"{user.name} was disabled already.", json=json)
    else:
        print_changes([user.as_fields], f"{user.name} may not log in any more; all sessions have ended.", json=json)


@app.command(epilog="Example:\n  sockctl users enable ann")
@with_store_options
def enable(name: Name, *, json: options.Json = False, store: StoreOptions) -> None:
    """Let a user in again, with the password as it was."""
    users = store.open().users
    before, user = users.get(name), users.enable(name)
    print_changes([user.as_fields] if before.disabled else [], f"{user.name} may log in.", json=json)


@app.command(epilog="Examples:\n  sockctl users remove ann\n  sockctl users remove ann --yes --if-exists")
@with_removal_options
@with_store_options
def remove(name: Name, *, removal: RemovalOptions, store: StoreOptions) -> None:
    """Remove a user. All sessions and connections of that user end.

    Nobody can sign up or chat under the name from then on; 'sockctl users add' gives it to somebody again. A script
    must give --yes.
    """
    accounts = store.open()
    with tolerate(UnknownUserError, f"There is no user {name}.", wanted=removal.if_exists, json=removal.json):
        user = accounts.users.get(name)
        removal.confirm(f"Remove {user.name} for good?", refusal=f"{user.name} was not removed.", needs_yes=True)
        user = accounts.remove(user.name)
        print_changes([user.as_fields], f"{user.name} is removed.", json=removal.json)


@app.command(epilog="Example:\n  sockctl users verify ann --password-stdin < FILE")
@with_store_options
def verify(
    name: Name,
    *,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    json: options.Json = False,
    no_input: options.NoInput = False,
    store: StoreOptions,
) -> None:
    """Check a password of a user: exit 0 if it is right, 4 if not. That of a disabled user is never right."""
    accounts = store.open()
    user = accounts.users.get(name)
    password = read_password(
        f"Password of {user.name}", stdin=password_stdin, file=password_file, twice=False, no_input=no_input, check=str
    )
    if user.disabled:
        raise LoginFailedError(f"{user.name} is disabled: 'sockctl users enable {user.name}' lets the user in again.")
    if not accounts.verify(user, password):
        raise LoginFailedError(f"That is not the password of {user.name}.")
    if json:
        print_json(user.as_fields)
    else:
        print_sentences(f"That is the password of {user.name}.")


@app.command(
    name="import",
    epilog="Example:\n  sockctl users import --store redis://localhost:6379 --data-dir ~/.local/share/sockctl",
)
@with_store_options
def import_users(
    *,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace users whom the engine has in another form.", show_default=False),
    ] = False,
    json: options.Json = False,
    store: StoreOptions,
) -> None:
    """Copy the accounts of a data directory into an engine, for several machines: users, passwords and sessions.

    The files stay as they are; a server with --store doesn't read them. A second import changes nothing, and brings no
    session back that has ended meanwhile.
    """
    from sockctl.accounts.account_import import copy_accounts
    from sockctl.accounts.user_store import FILE_NAME
    from sockctl.paths import find_data_dir

    stores = store.place.open_stores()
    if stores is None:
        raise OptionError("Say where to: --store redis://HOST:PORT, or SOCKCTL_STORE.")
    data_dir = find_data_dir(store.data_dir)
    if not (data_dir / FILE_NAME).exists():
        raise OptionError(f"There is no {FILE_NAME} in {data_dir}: --data-dir names the folder with the accounts.")
    copied = copy_accounts(data_dir, stores, overwrite=overwrite)
    if json:
        users = [user.as_fields for user in copied.users]
        print_json({"changed": users, "same": copied.same, "former": copied.former, "sessions": copied.sessions})
        return
    parts = [
        format_count(len(copied.users), "user"),
        *([format_count(copied.sessions, "session")] if copied.sessions else []),
        *([format_count(copied.former, "name of a former user", "names of former users")] if copied.former else []),
    ]
    print_sentences(
        f"Copied from {data_dir}: {', '.join(parts)}.",
        *([f"{format_count(copied.same, 'user')} there already, just so."] if copied.same else []),
    )
