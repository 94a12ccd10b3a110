"""What programs may rely on: these names, and that they cost nothing until they are used."""

import subprocess
import sys

import pytest

import sockctl
from sockctl import MessageSocket, receive_message, send_message
from tests.support.running import UNMEASURED


def test_the_names_stay() -> None:
    assert sockctl.__all__ == ["MessageSocket", "__version__", "receive_message", "send_message"]
    assert set(sockctl.__all__) <= set(dir(sockctl))
    for name in sockctl.__all__:
        assert getattr(sockctl, name)


def test_messages_pass_with_the_public_names_alone() -> None:
    with MessageSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with MessageSocket.connect_to(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                client.send_message("grüße")
                assert server.receive_message(timeout_s=5) == "grüße"
                send_message(server, "", limit_bytes=10)
                assert receive_message(client, timeout_s=5, limit_bytes=10) == ""
            assert client.receive_message(timeout_s=5) is None


def test_another_name_is_none_of_them() -> None:
    with pytest.raises(AttributeError, match="module 'sockctl' has no attribute 'anything'"):
        _ = sockctl.anything  # type: ignore[attr-defined]  # that is what is tested


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = (
        "import sys; before = {*sys.modules, 'sockctl'}; import sockctl; assert sockctl.__version__\n"
        "assert not {*sys.modules} - before, {*sys.modules} - before\n"
        "from sockctl import send_message; assert 'sockctl.net.message_socket' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=UNMEASURED, timeout=30)
