"""The users that machines share: what each of them knows, and when."""

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from sockctl.accounts.passwords import Hasher
from sockctl.accounts.user import FORM
from sockctl.accounts.users import Users
from sockctl.cluster.engine_pool import EnginePool
from sockctl.cluster.users import SharedSettings, SharedUsers
from sockctl.errors import EngineAwayError, NameTakenError, StoreFormatError, UnknownUserError
from tests.support.account_stores import shared_stores
from tests.support.accounts import CHEAPEST, OTHER, PASSWORD
from tests.support.engines import DURABLE, RedisServer, redis_server
from tests.support.running import TIMEOUT_S

HASH, OTHER_HASH = Hasher(CHEAPEST).hash(PASSWORD), Hasher(CHEAPEST).hash(OTHER)


class Machines:
    """Users of several machines on one engine."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._pools: list[EnginePool] = []

    def add(self) -> Users:
        self._pools.append(EnginePool(self._server.access()))
        users = Users(SharedUsers(self._pools[-1], check=FORM))
        users.refresh()
        return users

    def close(self) -> None:
        for pool in self._pools:
            pool.close()


@pytest.fixture
def machines(engine: RedisServer) -> Iterator[Machines]:
    with contextlib.closing(Machines(engine)) as made:
        yield made


def test_another_machine_learns_of_a_change_when_it_asks(machines: Machines) -> None:
    one, other = machines.add(), machines.add()
    one.add("ann", HASH)
    one.add("bob", HASH)
    assert other.list_all() == []
    other.refresh()
    assert [user.name for user in other.list_all()] == ["ann", "bob"]
    changes: list[Callable[[], object]] = [
        partial(one.set_hash, "ann", OTHER_HASH),
        partial(one.disable, "ann"),
        partial(one.enable, "ann"),
        partial(one.remove, "bob"),
    ]
    for change in changes:
        change()
        other.refresh()
        assert other.list_all() == one.list_all()
        assert other.generation == one.generation
    assert other.was_removed("bob")


def test_the_document_stays_the_same_object_until_it_changes(pool: EnginePool) -> None:
    store = shared_stores(pool).users
    users = Users(store)
    users.add("ann", HASH)
    before = store.read()
    store.refresh()
    assert store.read() is before
    users.disable("ann")
    assert store.read() is not before
    assert not before["users"]["ann"]["disabled"], "nobody's content changes under the hands"


def test_a_change_begins_with_what_others_have_saved(machines: Machines) -> None:
    one, other = machines.add(), machines.add()
    one.add("ann", HASH)
    with pytest.raises(NameTakenError):
        other.add("ann", OTHER_HASH)
    other.add("\u0430\u0441\u0430", OTHER_HASH)
    with pytest.raises(NameTakenError, match="looks like"):
        one.add("aca", HASH)
    one.remove("ann")
    with pytest.raises(UnknownUserError):
        other.disable("ann")


def test_changes_at_once_are_all_kept(machines: Machines) -> None:
    several = [machines.add() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for done in [
            pool.submit(users.add, f"user{number}-{machine}", HASH)
            for number in range(25)
            for machine, users in enumerate(several)
        ]:
            done.result(TIMEOUT_S)
    last = machines.add()
    assert len(last.list_all()) == last.generation == 100
    assert len({user.credential_generation for user in last.list_all()}) == 100


def test_a_name_is_added_once(machines: Machines) -> None:
    several = [machines.add() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(users.add, f"user{number}", HASH) for number in range(20) for users in several]
        errors = [end.exception(TIMEOUT_S) for end in ends]
    assert sum(error is None for error in errors) == 20
    assert all(error is None or isinstance(error, NameTakenError) for error in errors)


def test_a_change_whose_reply_was_lost_is_done_once(pool: EnginePool, monkeypatch: pytest.MonkeyPatch) -> None:
    users = Users(shared_stores(pool).users)
    call, lost = pool.call, list[str]()

    def lose(name: str, *words: object) -> object:
        reply = call(name, *words)  # type: ignore[arg-type]  # as they came
        if name == "change" and not lost:
            lost.append(name)
            return call(name, *words)  # type: ignore[arg-type]  # the same request once more
        return reply

    monkeypatch.setattr(pool, "call", lose)
    assert users.add("ann", HASH).credential_generation == 1
    assert lost
    assert users.generation == 1


def test_a_restart_of_the_engine_with_less_is_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    with redis_server(tmp_path_factory.mktemp("durable"), *DURABLE) as server:
        pool = EnginePool(server.access())
        users = Users(shared_stores(pool).users)
        users.add("ann", HASH)
        users.add("bob", HASH)
        server.kill()
        with pytest.raises(EngineAwayError):
            users.refresh()
        assert [user.name for user in users.list_all()] == ["ann", "bob"], "the copy stays"
        server.start()
        server.ask("HDEL", "{chat:0}:users", "bob")
        server.ask("ZREM", "{chat:0}:users:changed", "bob")
        users.refresh()
        assert [user.name for user in users.list_all()] == ["ann"]
        pool.close()


@pytest.mark.parametrize(
    ("entry", "why"),
    [("{", "is no JSON"), ("[]", r"users\.ann is no object"), (json.dumps({"hash": "secret"}), r"users\.ann\.hash")],
)
def test_a_wrong_form_is_refused_and_the_copy_stays(
    machines: Machines, engine: RedisServer, entry: str, why: str
) -> None:
    users = machines.add()
    ann = users.add("ann", HASH)
    engine.ask("HSET", "{chat:0}:users", "ann", entry)
    engine.ask("HSET", "{chat:0}:accounts", "generation", 2)
    engine.ask("ZADD", "{chat:0}:users:changed", 2, "ann")
    with pytest.raises(StoreFormatError, match=why) as caught:
        users.refresh()
    assert "secret" not in str(caught.value)
    assert users.list_all() == [ann]
    with pytest.raises(StoreFormatError):
        users.add("bob", HASH)


def test_settings_are_made_once(engine: RedisServer) -> None:
    pools = [EnginePool(engine.access()) for _ in range(4)]
    stores = [SharedSettings(pool, check=lambda _: None) for pool in pools]
    assert stores[0].read() == {}
    with ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(
                lambda pair: pair[1].fill({"server_id": f"{pair[0]}" * 32, "device_key": "0", "argon2": {}}),
                enumerate(stores),
            )
        )
    assert len({content["server_id"] for content in made}) == 1
    assert all(store.read() == made[0] for store in stores)
    for pool in pools:
        pool.close()


def test_settings_of_a_wrong_form_are_refused(pool: EnginePool, engine: RedisServer) -> None:
    engine.ask("HSET", "{chat:0}:accounts", "server_id", '"short"')
    with pytest.raises(StoreFormatError, match=r"settings in redis.*server_id"):
        shared_stores(pool).settings.read()
