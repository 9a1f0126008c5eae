"""A line to another city: what goes in comes out later, as much at once as there is."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future

ONE_WAY = 0.02  # seconds


@contextlib.contextmanager
def delayed(port: int) -> Iterator[int]:
    """A port that leads to `port`, with `ONE_WAY` in each direction."""
    listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(port, listening)), daemon=True)
    thread.start()
    loop, done, own_port = listening.result()
    try:
        yield own_port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _serve(port: int, listening: Future) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    done = asyncio.Event()
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    listening.set_result((asyncio.get_running_loop(), done, server.sockets[0].getsockname()[1]))
    await done.wait()  # asyncio.run cancels what is still being carried


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            loop.call_later(ONE_WAY, writer.write, data)
    loop.call_later(ONE_WAY, writer.close)
