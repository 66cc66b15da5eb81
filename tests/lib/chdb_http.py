#!/usr/bin/env python3
"""A current ClickHouse engine (chdb, in process) behind the part of ClickHouse's HTTP interface that
livecore uses: POST with SQL as body, or with ?query= and rows as body. It tries our SQL and formats on
that engine; headers, users and errors are tried on a real server.

usage: chdb_http.py PORT DIR
"""
import http.server
import os
import re
import signal
import sys
import tempfile
import threading
import urllib.parse

from chdb.session import Session

LOCK = threading.Lock()  # one query at a time: a session is not for several threads


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sql = query["query"][0] if "query" in query else body.decode()
        try:
            with LOCK:
                status, answer = 200, self.run(sql, body)
        except Exception as error:  # the engine's, whatever it is: it goes to the client
            status, answer = 500, str(error).encode()
            if re.search(r"Code: (60|81)\b", str(error)):
                status = 404
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.end_headers()
        self.wfile.write(answer)

    def run(self, sql, body):
        insert = re.fullmatch(r"(INSERT INTO \S+ \(.*\)) FORMAT (\w+)", sql, re.S)
        if insert:
            with tempfile.NamedTemporaryFile(suffix=".bin") as file:
                file.write(body)
                file.flush()
                SESSION.query(f"{insert[1]} FROM INFILE '{file.name}' FORMAT {insert[2]}")
            return b""
        wanted = re.search(r" FORMAT (\w+)$", sql)
        sql = sql[: wanted.start()] if wanted else sql
        return SESSION.query(sql, wanted[1] if wanted else "TabSeparated").bytes() or b""


port, directory = int(sys.argv[1]), sys.argv[2]
os.makedirs(directory, exist_ok=True)
SESSION = Session(directory)
signal.signal(signal.SIGTERM, lambda *args: os._exit(0))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
