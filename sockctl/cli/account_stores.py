"""Where the accounts of a command or a server are: in its data directory, or in an engine that machines share."""

import dataclasses
import datetime
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli.engine_options import EngineOptions, needing_redis
from sockctl.cli.options import DataDir, with_option_group

if TYPE_CHECKING:
    from sockctl.accounts.accounts import Accounts, AccountStores
    from sockctl.cluster.engine_access import EngineAccess

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Keep users and sessions in this engine, for several machines: redis://HOST:PORT, as for 'cluster check'.",
        envvar="SOCKCTL_STORE",
        metavar="URL",
        show_default=False,
        rich_help_panel="Several machines",
    ),
]


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class ServerStoreOptions:
    """The options of servers with accounts, by the names that users write."""

    store: Store = None
    engine: EngineOptions

    def find_engine(self, *, cluster: "EngineAccess | None" = None) -> "EngineAccess | None":
        """Return the way to the engine with the accounts; None for accounts in the data directory.

        Args:
            cluster: The way to the engine of the chat: the accounts are there, too, unless --store names another one.

        Raises:
            AddressError: --store names no engine.
            OptionError: Options contradict each other.
            SecretFileError: The file with the login can't be used.
        """
        if self.store is None:
            if cluster is None:
                self.engine.refuse_without_engine("--store")
            return cluster
        access = self.engine.make_access(self.store)
        # The login was read with the chat's engine, and is no longer in the environment.
        return access if cluster is None else dataclasses.replace(access, login=cluster.login)

    def open_stores(self) -> "AccountStores | None":
        """Return the stores of accounts in an engine; None for those of the data directory.

        Raises what `find_engine` raises, and what `open_stores` raises.
        """
        access = self.find_engine()
        return None if access is None else open_stores(access)


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class StoreOptions:
    """The options of commands about accounts, by the names that users write."""

    data_dir: DataDir = None
    place: ServerStoreOptions

    def open(self) -> "Accounts":
        """Return the accounts, as they are now.

        Raises:
            AddressError: --store names no engine.
            OptionError: Options contradict each other.
            SecretFileError: The file with the login can't be used.
            LibraryMissingError: redis-py isn't installed.
            StoreError: The engine can't be used.
        """
        from sockctl.accounts.accounts import Accounts
        from sockctl.paths import find_data_dir

        accounts = Accounts(self.place.open_stores() or find_data_dir(self.data_dir))
        accounts.users.refresh()
        return accounts


with_store_options = functools.partial(with_option_group, name="store", group=StoreOptions)


def open_stores(access: "EngineAccess") -> "AccountStores":
    """Return the stores of accounts in an engine; nothing is asked of the engine yet.

    Raises:
        LibraryMissingError: redis-py isn't installed.
        CertificateError: A file of the certificates can't be used.
    """
    with needing_redis():
        from sockctl.cluster.engine_pool import EnginePool
    from sockctl.accounts.accounts import AccountStores
    from sockctl.accounts.session_store import LIMITS
    from sockctl.accounts.settings import FORM as SETTINGS_FORM
    from sockctl.accounts.throttle import PENALTIES, Admission, Standing
    from sockctl.accounts.user import FORM
    from sockctl.cluster.sessions import SharedSessions
    from sockctl.cluster.throttle import SharedThrottle
    from sockctl.cluster.users import SharedSettings, SharedUsers

    pool = EnginePool(access)
    users = SharedUsers(pool, check=FORM)
    return AccountStores(
        settings=SharedSettings(pool, check=SETTINGS_FORM),
        users=users,
        sessions=SharedSessions(pool, limits=LIMITS),
        throttle=SharedThrottle(pool, costs=dataclasses.asdict(PENALTIES), standing=Standing, admission=Admission),
        read_offset=lambda: datetime.timedelta(seconds=users.clock_offset_s),
    )
