"""sockctl: a command-line toolkit for TCP, named, safe and explained.

As a library, it sends and receives text messages over any connected socket: `MessageSocket`, `send_message` and
`receive_message`. They are loaded when they are asked for, so a command that needs none of them starts without them.
"""

__all__ = ["MessageSocket", "__version__", "receive_message", "send_message"]

__version__ = "0.1.0"

TYPE_CHECKING = False  # as typing's, which type checkers know by its name: to import it would cost start-up time
if TYPE_CHECKING:
    from sockctl.net.message_socket import MessageSocket, receive_message, send_message
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sockctl.net import message_socket  # noqa: PLC0415  loaded when asked for

        return getattr(message_socket, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
