"""Vendors that mean harm: every connection is answered with something that no vendor should send. livecore says what was wrong, stays
small and quick, never shows its key, and works as soon as the vendor does.

usage: hostile_test.py LIVECORE [unittest options]
"""

import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import hostile  # noqa: E402
import livecore  # noqa: E402

MB = 1 << 20
SECRETS = {"LIVECORE_ALPACA_KEY": "demo-key", "LIVECORE_ALPACA_SECRET": "demo-secret"}
FUSHU_KEY = "demo-fushu-77"


def bomb(size, bits):
    """So many brackets, compressed: raw deflate for a WebSocket, or gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    data = b"".join(packer.compress(b"[" * MB) for _ in range(size // MB))
    return data + packer.flush(zlib.Z_SYNC_FLUSH if bits < 0 else zlib.Z_FINISH)


def upgraded(act):
    """act(connection) once the WebSocket is open and the session authenticated."""

    def serve(connection):
        if connection.alpaca():
            act(connection)
            connection.rest()

    return serve


def answered(act):
    """act(connection, head) in place of the upgrade's answer."""

    def serve(connection):
        head = connection.request()
        if "pgrade" in head:
            act(connection, head)
            connection.rest()

    return serve


def until_it_hangs_up(connection, data):
    end = time.monotonic() + livecore.LONG_S
    while time.monotonic() < end:
        connection.send(data)


def deflated(connection, head):
    connection.upgrade(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    connection.frame(bomb(64 * MB, -15)[:-4], bits=4)


WEBSOCKET = [
    (upgraded(lambda c: until_it_hangs_up(c, hostile.frame(b"[" * 65536, opcode=0, fin=False))), "was lost"),
    (upgraded(lambda c: (c.frame(b"[", fin=False), until_it_hangs_up(c, hostile.frame(b"1", opcode=0, fin=False) * 4096))), "longer than 1048576"),
    (upgraded(lambda c: c.frame(b"[" * 2 * MB)), "longer than 1048576"),
    (upgraded(lambda c: c.frame(b"x" * 100, length=1 << 63)), "was lost"),
    (upgraded(lambda c: c.frame(b"[]", bits=7)), "was lost"),
    (upgraded(lambda c: c.frame(b"[]", opcode=3)), "was lost"),
    (upgraded(lambda c: c.frame(b"x" * 1000, opcode=hostile.PING)), "was lost"),
    (upgraded(lambda c: c.frame(b"\x00\x01bad", opcode=hostile.CLOSE)), "close code"),
    (upgraded(lambda c: c.frame(b"\x0f\xa0\xff\x1b[31m" + SECRETS["LIVECORE_ALPACA_SECRET"].encode(), opcode=hostile.CLOSE)), "close code"),
    (answered(deflated), "longer than 1048576"),
    (answered(lambda c, head: c.upgrade(head, key="AAAA")), "Accept hash wrong"),
    (answered(lambda c, head: c.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")), "ACCEPT missing"),
    (answered(lambda c, head: c.upgrade(head, "Sec-WebSocket-Extensions: evil\r\n")), "unknown ext"),
    (answered(lambda c, head: c.send(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"a" * MB)), "did not answer the upgrade"),
    (answered(lambda c, head: c.send(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")), "status 302"),
]
FRAMES = [b"[" * MB, b'{"a":' * (MB // 5), b"[" + b"0," * (MB // 2 - 8) + b"0]", b'["\xff\xfe"]', b"", b"[]]", b"[[[1]]]", b"\x1b[2J"]


def headed(head, body=b"", endless=None):
    def serve(connection):
        if connection.request():
            connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
            if endless:
                until_it_hangs_up(connection, endless)

    return serve


HTTP = [  # and what is said of it, by us or by libcurl, old and new
    (headed(b"Transfer-Encoding: chunked\r\n", endless=b"10000\r\n" + b"a" * 65536 + b"\r\n"), "body is longer"),
    (headed(b"Transfer-Encoding: chunked\r\n", endless=b"1\r\na\r\n" * 4096), "body is longer"),
    (headed(b"Content-Length: 1073741824\r\n", endless=b"a" * 65536), "body is longer"),
    (headed(b"Content-Encoding: gzip\r\n", bomb(64 * MB, 31)), "body is longer"),
    (headed(b"Content-Encoding: gzip\r\n", b"no gzip" * 100), "incorrect header check"),
    (headed(b"Content-Length: 1000000\r\n", b"[]"), "bytes (?:remaining|missing)"),
    (headed(b"Content-Length: -5\r\n", b"[]"), "Invalid Content-Length"),
    (headed(b"X: a\r\n" * 50000, b"[]"), "(?:headers are longer|response headers)"),
    (lambda c: (c.request(), c.send(b"HTTP/1.1 200 OK\r\nX: "), until_it_hangs_up(c, b"a" * 65536)), "(?:headers are longer|larger than allowed)"),
    (lambda c: (c.request(), c.send(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")), "status 302"),
]


class Acts:
    """One after another, a connection each; the last is how it goes on."""

    def __init__(self, acts, last):
        self.acts, self.last, self.number = acts, last, 0

    def __call__(self, connection):
        number, self.number = self.number, self.number + 1
        (self.acts[number][0] if number < len(self.acts) else self.last)(connection)


class HostileVendors(livecore.Case):
    def vendor(self, serve):
        made = hostile.Hostile(serve)
        self.addCleanup(made.stop)
        return made

    def alpaca(self, serve):
        server = self.vendor(serve)
        rest = self.vendor(lambda c: None)  # what is asked by HTTP is not answered
        settings = {"routing.feeders": "alpaca", "alpaca.url": f"ws://127.0.0.1:{server.port}/v2/iex", "alpaca.data_url": rest.url}
        return self.run_livecore(settings, env=SECRETS)

    def no_secret(self, live):
        for secret in (*SECRETS.values(), FUSHU_KEY):
            self.assertNotIn(secret, live.text)
        self.assertNotIn("\x1b", live.text)

    def test_websocket(self):
        acts = Acts(WEBSOCKET, upgraded(lambda c: None))
        live = self.alpaca(acts)
        at = 0
        for _, says in WEBSOCKET:
            found = live.expect(rf"to=RECONNECTING reason=.*{says}.*\n", after=at)
            at = found.end()
        livecore.wait_for(lambda: acts.number > len(WEBSOCKET), "the last connection")
        live.wait_state("alpaca", "CONNECTED")
        self.no_secret(live)

    def test_frames(self):
        """What cannot be read is counted, and the session lives on."""
        live = self.alpaca(upgraded(lambda c: [c.frame(data) for data in FRAMES]))
        livecore.wait_for(lambda: live.feeder("alpaca")["bad_input"] >= len(FRAMES) - 1, lambda: f"{live.feeder('alpaca')}")
        self.assertEqual(live.feeder("alpaca")["connects"], 1)
        live.expect("bad_input feeder=alpaca reason=malformed_frame")
        self.no_secret(live)

    def test_http(self):
        acts = Acts(HTTP, headed(b"Content-Length: 11\r\n", b'{"data":[]}'))
        server = self.vendor(acts)
        settings = {"routing.feeders": "fushu", "fushu.url": server.url + "/v1", "fushu.poll_interval": "50ms"}
        live = self.run_livecore(settings, env={"LIVECORE_FUSHU_API_KEY": FUSHU_KEY})
        self.follow("p", ["00700.HK"])
        at = 0
        for _, says in HTTP:
            at = live.expect(rf"to=RECONNECTING reason=.*{says}.*\n", after=at).end()
        livecore.wait_for(lambda: acts.number > len(HTTP), "the last connection")
        self.no_secret(live)


    def test_stream_that_is_a_bomb(self):
        """EastMoney's streams, while what is polled is answered as it should be."""
        real = self.sim("eastmoney", "--rate", "20")
        packed = bomb(64 * MB, 31)

        def serve(connection):
            while head := connection.request():
                path = head.split()[1]
                if "sse" in path:
                    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n" + packed)
                    return
                body = livecore.get(real.url + path)[1].encode()
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        server = self.vendor(serve)
        settings = {"routing.feeders": "eastmoney", "routing.routes": "*=eastmoney", "eastmoney.url": server.url, "eastmoney.mode": "sse"}
        live = self.run_livecore(settings)
        self.follow("p", ["600000.SH"])
        live.expect("request_failed feeder=eastmoney .*the stream brought more than 1048576 bytes at once")
        live.wait_state("eastmoney", "CONNECTED")

    def test_resolver_that_never_answers(self):
        """The loop goes on, and stopping does not wait for it."""
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        resolver = Path(self.state) / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.77\noptions timeout:30 attempts:5\n")
        inside = ["unshare", "--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "sh"]
        try:
            silent.bind(("127.0.0.77", 53))
            subprocess.run([*inside, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"only root can put another resolver in place: {error}")
        for kafka, code in ((["--embedded"], 0), (["--set", "kafka.brokers=kafka.invalid:9092"], 1)):
            with self.subTest(kafka=kafka):
                self.stops([*inside, livecore.LIVECORE, "run", *kafka], code)

    def stops(self, command, code):
        settings = {"state.dir": self._state_directory(), "routing.feeders": "alpaca", "shutdown.timeout": "1s"}
        live = livecore.Process([*command, *livecore.words(livecore.SETTINGS | settings)], env=SECRETS)
        self.addCleanup(lambda: live.process.poll() is None and live.process.kill())
        url = "http://127.0.0.1:" + live.expect(r"http listening .*port=(\d+)")[1]
        live.expect("feeder=alpaca .*to=CONNECTING")
        self.assertEqual(livecore.get(url + "/livez", within_s=5)[0], 200)
        started = time.monotonic()
        self.assertEqual(live.stop(), code, live.text)
        self.assertLess(time.monotonic() - started, 25, "the resolver would take minutes")


if __name__ == "__main__":
    livecore.main()
