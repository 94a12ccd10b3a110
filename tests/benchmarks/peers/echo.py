"""Echo servers in Python: ``python -m tests.benchmarks.peers.echo KIND PORT READ_BYTES``.

KIND is ``stock`` (`socketserver` as the standard library has it, a thread for each client), ``streams`` (asyncio's
streams), ``asyncio`` (its protocols), or ``uvloop`` (the same on uvloop's loop).
"""

import argparse
import asyncio
import importlib
import socketserver

HOST = "127.0.0.1"
BACKLOG = 1024


def serve_stock(port: int, read_bytes: int) -> None:
    """Serve with a thread for each client."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(read_bytes):
                self.request.sendall(data)

    class StockServer(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = BACKLOG

    StockServer((HOST, port), Handler).serve_forever()


async def serve_streams(port: int, read_bytes: int) -> None:
    """Serve with a coroutine for each client."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(read_bytes):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, HOST, port, backlog=BACKLOG) as server:
        await server.serve_forever()


async def serve_protocol(port: int, read_bytes: int) -> None:
    """Serve with callbacks, each client's bytes read into a buffer of its own."""

    class Echo(asyncio.BufferedProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            self._buffer = memoryview(bytearray(read_bytes))

        def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the signature is asyncio's
            return self._buffer

        def buffer_updated(self, nbytes: int) -> None:
            self._transport.write(bytes(self._buffer[:nbytes]))

    server = await asyncio.get_running_loop().create_server(Echo, HOST, port, backlog=BACKLOG)
    await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["stock", "streams", "asyncio", "uvloop"])
    parser.add_argument("port", type=int)
    parser.add_argument("read_bytes", type=int)
    options = parser.parse_args()
    match options.kind:
        case "stock":
            serve_stock(options.port, options.read_bytes)
        case "streams":
            asyncio.run(serve_streams(options.port, options.read_bytes))
        case "asyncio":
            asyncio.run(serve_protocol(options.port, options.read_bytes))
        case "uvloop":
            with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop) as runner:
                runner.run(serve_protocol(options.port, options.read_bytes))


if __name__ == "__main__":
    main()
