"""A server on this machine that speaks the archive's protocol, and can be made to cut connections."""

import contextlib
import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def zipped(files, hashes=True):
    """An archive as the server makes it, names -> bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if hashes:
            rows = "".join(f"{name},{hashlib.md5(content).hexdigest()}\n" for name, content in files.items())
            archive.writestr("md5hashes.csv", "Filename,MD5Hash\n" + rows)
    return made.getvalue()


class Archive(ThreadingHTTPServer):
    """`series` UID -> (patient, archive, size, count); `cuts` how many answers of each series end too early

    `busy` are answers that come first, as (status, headers); `odd` UID -> a function of the handler that answers for an archive
    in a way of its own; `said` what -> the body of an answer in place of JSON.
    """

    daemon_threads = True

    def __init__(self, series, cuts=0, ranges=True, after=0.5):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.series, self.ranges, self.after = series, ranges, after
        self.cuts = dict.fromkeys(series, cuts)
        self.busy, self.odd, self.said = [], {}, {}
        self.asked = []
        self.sent = 0  # bytes of archives
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        what, uid = parts.path.rpartition("/")[2], asked.get("SeriesInstanceUID")
        with self.server.lock:
            self.server.asked.append((what, uid, self.headers.get("Range")))
            busy = self.server.busy.pop(0) if self.server.busy else None
        if busy:
            self._send(busy[0], b"not now", busy[1])
        elif what in self.server.said:
            self._send(200, self.server.said[what])
        elif what == "getImageWithMD5Hash" and uid in self.server.odd:
            self.server.odd[uid](self)
            self.close_connection = True
        elif what == "getSeries":
            patient = asked.get("PatientID")
            found = [
                {"SeriesInstanceUID": u, "Modality": "CT"} for u, s in self.server.series.items() if s[0] == patient
            ]
            self._json(found)
        elif what == "getSeriesSize":
            known = self.server.series.get(uid)
            self._json([{"TotalSizeInBytes": f"{known[2]}.000000", "ObjectCount": str(known[3])}] if known else [])
        elif what == "getImageWithMD5Hash" and uid in self.server.series:
            self._archive(uid)
        else:
            self.send_error(404)

    def _json(self, rows):
        self._send(200, json.dumps(rows).encode())

    def _archive(self, uid):
        content, status, more = self.server.series[uid][1], 200, {}
        if self.server.ranges and (given := self.headers.get("Range")):
            start = int(given.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            content, status = content[start:], 206
        with self.server.lock:
            cut = self.server.cuts[uid] > 0
            self.server.cuts[uid] -= cut
        end = int(len(content) * self.server.after) if cut else len(content)
        with self.server.lock:
            self.server.sent += end
        self._send(status, content, more, end if cut else None)

    def _send(self, status, content, more=None, cut=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True


@contextlib.contextmanager
def serving(*arguments, **options):
    """Run an archive for the length of a block."""
    with Archive(*arguments, **options) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
