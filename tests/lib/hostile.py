"""Vendors that mean harm: servers of a few lines that send whatever a test wants, byte by byte if need be.

    Hostile(serve)              serve(connection) runs in a thread for each connection, until it returns or the test ends
    connection.request()        the head of the next HTTP request, as text; "" at the end
    connection.body(head)       the bytes behind it
    connection.send(data)       bytes, as they are
    connection.upgrade(head)    answers a WebSocket handshake
    connection.frame(data, …)   one WebSocket frame
"""

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_key(head):
    key = re.search(r"(?i)sec-websocket-key: *(\S+)", head)
    return base64.b64encode(hashlib.sha1(((key[1] if key else "") + GUID).encode()).digest()).decode()


def frame(data, opcode=TEXT, fin=True, bits=0, mask=None, length=None):
    """length: what the header says, when it is not the truth; bits: of the reserved ones, 4 the first of them."""
    first = (0x80 if fin else 0) | bits << 4 | opcode
    said = len(data) if length is None else length
    flag = 0x80 if mask else 0
    if said < 126:
        head = struct.pack("!BB", first, flag | said)
    elif said < 65536:
        head = struct.pack("!BBH", first, flag | 126, said)
    else:
        head = struct.pack("!BBQ", first, flag | 127, said)
    if mask:
        data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    return head + (mask or b"") + data


class Connection:
    def __init__(self, server, plain):
        self.server, self.socket, self.pending = server, plain, b""

    def send(self, data):
        self.socket.sendall(data)

    def _until(self, end):
        while end not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self.pending += data
        head, _, self.pending = self.pending.partition(end)
        return head

    def request(self):
        return self._until(b"\r\n\r\n").decode(errors="replace")

    def upgrade(self, head, extra="", key=None):
        self.send(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(head) if key is None else key}\r\n{extra}\r\n".encode()
        )

    def frame(self, data, *args, **kwargs):
        self.send(frame(data, *args, **kwargs))

    def _read(self, count):
        while len(self.pending) < count:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError
            self.pending += data
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def message(self):
        """Opcode and data of the next frame from the client."""
        first, second = self._read(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
        mask = self._read(4)
        return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._read(length)))

    def alpaca(self):
        """Everything until a session of Alpaca's is authenticated, in JSON."""
        head = self.request()
        if "pgrade" not in head:
            return False  # a question about snapshots
        self.upgrade(head)
        self.frame(b'[{"T":"success","msg":"connected"}]')
        self.message()
        self.frame(b'[{"T":"success","msg":"authenticated"}]')
        return True

    def rest(self):
        """Until the client ends the connection."""
        while self.socket.recv(65536):
            pass


class Hostile:
    def __init__(self, serve, tls=None):
        self.serve, self.tls, self.accepted, self.held = serve, tls, 0, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                plain = self.listener.accept()[0]
            except OSError:
                return
            self.accepted += 1
            self.held.append(plain)
            threading.Thread(target=self._one, args=(plain,), daemon=True).start()

    def _one(self, plain):
        try:
            if self.tls:
                plain = self.tls.wrap_socket(plain, server_side=True)
                self.held.append(plain)
            self.serve(Connection(self, plain))
        except (OSError, ssl.SSLError, ValueError):
            pass  # it hung up on us, as it should
        finally:
            plain.close()

    def stop(self):
        self.listener.close()
        for one in self.held:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
