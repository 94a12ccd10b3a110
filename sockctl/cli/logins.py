"""``sockctl logins …``: the logins that ``connect`` has kept."""

from sockctl.cli import options
from sockctl.cli.commands import declare_group
from sockctl.cli.logout import logout
from sockctl.cli.tables import print_list

app = declare_group("See and end the logins that 'connect' has kept.", "Example:\n  sockctl logins list")

_TLS = {False: "no", True: "yes"}
_STATES = {False: "valid", True: "expired"}


@app.command(name="list", epilog="Example:\n  sockctl logins list --json")
def list_logins(*, json: options.Json = False, state_dir: options.StateDir = None) -> None:
    """List the kept logins. Columns: server, service, user, whether it has TLS, and until when it counts (UTC).

    No token is ever shown. An expired login lets nobody in: the next 'connect' asks for the password.
    """
    from sockctl.client.token_store import TokenStore
    from sockctl.paths import find_state_dir
    from sockctl.stores.timestamps import read_utc_clock

    now = read_utc_clock()
    logins = [
        {**kept.as_fields, "expired": kept.expires <= now} for kept in TokenStore(find_state_dir(state_dir)).list_all()
    ]
    titles = ("SERVER", "SERVICE", "USER", "TLS", "EXPIRES", "STATE")
    rows = [
        (
            one["server"],
            one["service"],
            one["user"] or "",
            _TLS[bool(one["fingerprint"])],
            one["expires"],
            _STATES[one["expired"]],
        )
        for one in logins
    ]
    empty = "No login is kept: 'sockctl connect' keeps one where a server gives it."
    print_list(logins, titles, rows, empty=empty, json=json)


_EXAMPLE = "Example:\n  sockctl logins remove server.example:9090"
app.command(name="remove", short_help="Log out of a server, as 'sockctl logout' does.", epilog=_EXAMPLE)(logout)
