"""A small TCP proxy with scripted faults, between a simulator and livecore, or between livecore and Kafka.

    proxy = Proxy("127.0.0.1", port)
    proxy.mute(down=True)       # the server's bytes are held, the connection stays open; until clear()
    proxy.vanish(down=True)     # half-open: one direction goes nowhere; its connections never recover
    proxy.drip(200)             # bytes a second, down
    proxy.delay(0.2)            # seconds, both ways
    proxy.cut(after=100)        # so many bytes more, then the connections end: in the middle of a frame
    proxy.reset()               # every connection ends with RST
    proxy.refuse()              # nobody listens, and every connection is reset; until clear()
    proxy.clear()

Down is from the server to livecore, up the other way. It runs in a thread of its own.
"""

import asyncio
import socket
import struct
import threading

CHUNK = 65536


class _Pipe:
    """One direction of a connection."""

    def __init__(self, proxy, reader, writer, down):
        self.proxy, self.reader, self.writer, self.down = proxy, reader, writer, down
        self.vanished = False

    async def run(self):
        while data := await self.reader.read(CHUNK):
            await self.proxy.may_pass(self.down)
            if self.vanished:
                continue
            await self._forward(data)
        if not self.vanished and self.writer.can_write_eof():
            self.writer.write_eof()

    async def _forward(self, data):
        proxy = self.proxy
        if proxy.latency_s:
            await asyncio.sleep(proxy.latency_s)
        if self.down and proxy.cut_after is not None:
            self.writer.write(data[: proxy.cut_after])
            await self.writer.drain()
            if len(data) < proxy.cut_after:
                proxy.cut_after -= len(data)
                return
            proxy.cut_after = None
            proxy.end_all(reset=False)
            return
        step = len(data)
        if self.down and proxy.drip_rate:
            step = max(1, proxy.drip_rate // 20)
        for at in range(0, len(data), step):
            if step < len(data) and proxy.drip_rate:
                await asyncio.sleep(0.05)
            self.writer.write(data[at : at + step])
            await self.writer.drain()
        proxy.passed[self.down] += len(data)


class Proxy:
    """Listens on a free port of `host`, as long as the process lives or until stop()."""

    def __init__(self, target_host, target_port, host="127.0.0.1"):
        self.target, self.host = (target_host, target_port), host
        self.passed = [0, 0]  # bytes up, down
        self.accepted = 0
        self.latency_s, self.drip_rate, self.cut_after = 0, 0, None
        self.pipes, self.writers = set(), set()
        # Holds the port while nobody listens on it.
        self.place = self._socket()
        self.place.bind((host, 0))
        self.port = self.place.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.server = None
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()
        self._call(self._listen())

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    # What a test says.

    def mute(self, down=True, up=False):
        self._call(self._hold({True: down, False: up}))

    def vanish(self, down=True, up=False):
        self._call(self._vanish({True: down, False: up}))

    def drip(self, bytes_a_second):
        self.drip_rate = bytes_a_second

    def delay(self, seconds):
        self.latency_s = seconds

    def cut(self, after=100):
        self.cut_after = after

    def reset(self):
        self._call(self._end(True))

    def refuse(self):
        self._call(self._refuse())

    def clear(self):
        self.latency_s, self.drip_rate, self.cut_after = 0, 0, None
        self._call(self._hold({True: False, False: False}))
        self._call(self._listen())

    def stop(self):
        self._call(self._refuse())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.place.close()
        self.loop.close()

    # On the thread of its own.

    def _main(self):
        asyncio.set_event_loop(self.loop)
        self.open = {True: asyncio.Event(), False: asyncio.Event()}
        for gate in self.open.values():
            gate.set()
        self.loop.run_forever()

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    @staticmethod
    def _socket():
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return made

    async def may_pass(self, down):
        await self.open[down].wait()

    async def _listen(self):
        if self.server is None:
            listener = self._socket()
            listener.bind((self.host, self.port))
            self.server = await asyncio.start_server(self._serve, sock=listener)

    async def _hold(self, which):
        for down, held in which.items():
            if held:
                self.open[down].clear()
            else:
                self.open[down].set()

    async def _vanish(self, which):
        for pipe in self.pipes:
            pipe.vanished = pipe.vanished or which[pipe.down]

    async def _end(self, reset):
        self.end_all(reset)

    async def _refuse(self):
        if self.server is not None:
            self.server.close()
            self.server = None
        self.end_all(True)

    def end_all(self, reset):
        for writer in self.writers:
            _end_connection(writer, reset)

    async def _serve(self, reader, writer):
        self.accepted += 1
        self.writers.add(writer)
        onward = None
        try:
            back, onward = await asyncio.open_connection(*self.target)
            self.writers.add(onward)
            up, down = _Pipe(self, reader, onward, False), _Pipe(self, back, writer, True)
            self.pipes |= {up, down}
            try:
                await asyncio.gather(up.run(), down.run())
            finally:
                self.pipes -= {up, down}
        except OSError:
            pass
        finally:
            for one in (writer, onward):
                if one is not None:
                    self.writers.discard(one)
                    one.close()


def _end_connection(writer, reset):
    if reset:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
