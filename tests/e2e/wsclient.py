# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client as small as the tests need: text frames, no extensions."""
import base64
import json
import os
import socket
import struct
import urllib.parse


class Ws:
    def __init__(self, url, timeout=20):
        at = urllib.parse.urlparse(url)
        self.sock = socket.create_connection((at.hostname, at.port), timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((f"GET {at.path or '/'} HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\n"
                           f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                           "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        self.buf = b""
        while b"\r\n\r\n" not in self.buf:
            self._more()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head
        self.ids = 0
        self.pushed = []

    def _more(self):
        part = self.sock.recv(65536)
        if not part:
            raise ConnectionError("closed")
        self.buf += part

    def _need(self, n):
        while len(self.buf) < n:
            self._more()

    def send(self, text):
        data = text.encode()
        n = len(data)
        head = bytes([0x81]) + (bytes([0x80 | n]) if n < 126 else bytes([0xfe]) + struct.pack(">H", n)
                                if n < 65536 else bytes([0xff]) + struct.pack(">Q", n))
        mask = os.urandom(4)
        long_mask = (mask * (n // 4 + 1))[:n]
        body = (int.from_bytes(data, "big") ^ int.from_bytes(long_mask, "big")).to_bytes(n, "big")
        self.sock.sendall(head + mask + body)

    def recv(self):
        """The next message, parsed; pings are answered by nobody and skipped."""
        while True:
            self._need(2)
            op, n = self.buf[0] & 15, self.buf[1] & 127
            skip = 2
            if n == 126:
                self._need(4)
                n, skip = struct.unpack(">H", self.buf[2:4])[0], 4
            elif n == 127:
                self._need(10)
                n, skip = struct.unpack(">Q", self.buf[2:10])[0], 10
            self._need(skip + n)
            data, self.buf = self.buf[skip:skip + n], self.buf[skip + n:]
            if op == 1:
                return json.loads(data)
            if op == 8:
                raise ConnectionError(f"closed with {data!r}")

    def call(self, method, *params):
        self.ids += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params}))
        while True:
            got = self.recv()
            if got.get("id") == self.ids:
                return got
            self.pushed.append(got)

    def push(self):
        """The next pushed message."""
        return self.pushed.pop(0) if self.pushed else self.recv()

    def close(self):
        self.sock.close()
