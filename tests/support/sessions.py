"""Sessions of a data directory, for their tests and the processes that they start."""

from pathlib import Path

from sockctl.accounts.device_tokens import DeviceTokens
from sockctl.accounts.session import Session
from sockctl.accounts.session_file import SessionFile
from sockctl.accounts.session_store import MAX_SESSIONS
from sockctl.accounts.sessions import Sessions
from sockctl.accounts.user import User
from sockctl.errors import TokenRefusedError
from sockctl.stores.timestamps import Clock as AnyClock
from tests.support.clock import NOON

ANN = User("ann", "", NOON, NOON, disabled=False, credential_generation=3)
HERE = "192.0.2.7"
SERVER = "5" * 32
TOKENS = DeviceTokens(lambda: b"5" * 32)


def sessions_at(
    tmp_path: Path, clock: AnyClock, server_id: str = SERVER, *, max_sessions: int = MAX_SESSIONS
) -> Sessions:
    return Sessions(
        SessionFile(tmp_path, max_sessions=max_sessions), server_id=lambda: server_id, tokens=TOKENS, clock=clock
    )


def begun(sessions: Sessions, user: User = ANN) -> tuple[Session, str]:
    session = sessions.begin(user, HERE, with_token=True)
    assert session.token is not None
    return session, session.token


def resumed(sessions: Sessions, token: str, *, address: str = HERE, current: bool = True) -> str:
    session = sessions.resume(token, address, is_current=lambda _: current)
    assert session.token is not None
    return session.token


def refused(sessions: Sessions, token: str, *, current: bool = True) -> bool:
    try:
        resumed(sessions, token, current=current)
    except TokenRefusedError:
        return True
    return False
