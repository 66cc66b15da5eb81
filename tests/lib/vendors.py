"""Servers in a vendor's place that say nothing of their own: one writes down what it is asked and passes it on,
one speaks WebSocket by hand, so that it can leave a ping unanswered."""

import base64
import hashlib
import http.client
import http.server
import json
import socket
import struct
import threading
import time
from urllib.parse import urlsplit


class Recorder:
    """Passes each request on to a simulator and keeps it. held_s: how long it waits before it answers one whose path
    has `held` in it."""

    def __init__(self, target=None, held_s=0, held="", answer=b"{}"):
        outer = self
        self.requests, self.times, self.held_s, self.held = [], [], held_s, held
        where = urlsplit(target) if target else None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                outer.times.append(time.monotonic())
                outer.requests.append((self.path, dict(self.headers), body))
                time.sleep(outer.held_s if outer.held in self.path else 0)
                self.reply(*self.ask() if where else (200, answer, "application/json"))

            do_POST = do_GET

            def ask(self):
                link = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
                try:
                    link.request("GET", self.path, headers={k: v for k, v in self.headers.items() if k != "Accept-Encoding"})
                    got = link.getresponse()
                    return got.status, got.read(), got.headers.get("Content-Type", "")
                except OSError as error:  # the simulator has ended before us
                    return 502, str(error).encode(), "text/plain"
                finally:
                    link.close()

            def reply(self, status, body, kind):
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked has given up

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def paths(self):
        return [path for path, _, _ in self.requests]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MuteSocket:
    """A WebSocket server that answers the upgrade, sends what it is told to, and leaves everything else unanswered."""

    PING, TEXT = 9, 1

    def __init__(self, *greetings):
        """greetings: what is sent, the first at once, each further one after a message came."""
        self.frames, self.closed = [], []  # (time, opcode); when a connection ended
        self.greetings = [json.dumps(greeting).encode() for greeting in greetings]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        stream = link.makefile("rb")
        try:
            self._upgrade(link, stream)
            waiting = list(self.greetings)
            self._send(link, waiting.pop(0)) if waiting else None
            while opcode := self._read(stream):
                self.frames.append((time.monotonic(), opcode))
                if opcode == self.TEXT and waiting:
                    self._send(link, waiting.pop(0))
        except OSError:
            pass
        self.closed.append(time.monotonic())
        link.close()

    @staticmethod
    def _upgrade(link, stream):
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        key = headers[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        link.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )

    @staticmethod
    def _send(link, data):
        assert len(data) < 126
        link.sendall(bytes([0x81, len(data)]) + data)

    @staticmethod
    def _read(stream):
        """The opcode of the next frame; None at the end."""
        head = stream.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack(">H", stream.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", stream.read(8))[0]
        stream.read(4 + size)  # our side always masks
        return head[0] & 0x0F

    def stop(self):
        self.listener.close()
