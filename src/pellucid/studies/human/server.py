"""A small server for one study: hands out seats in their order and appends answers to a file, line by line.

It listens on this machine only. For participants elsewhere put a web server that speaks TLS in front of it and name the host that
it is reached by in `hosts`. What a request may do is little: three fixed routes, no path of a file in any of them; JSON below a
size limit; a Host and an Origin that are known and a token that only the page knows, so that no other site can post here; an answer
that fits the study, from a participant to whom a seat was given, once per item. No address and no time is written down.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pellucid.core.errors import InputError
from pellucid.studies.human import answers as checking
from pellucid.studies.human.page import render
from pellucid.studies.human.study import Study

_LOCAL = "127.0.0.1"
_LARGEST = 16 * 1024  # bytes of a request: an answer has some hundred
_PATIENCE = 20.0  # seconds for a request to arrive


class Refused(Exception):
    """A request that is not served: a status and words for the person at the page."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Register:
    """Who sits where and what has been answered; the only state of the server, and the only writer of the file."""

    study: Study
    file: Path
    seats: dict[str, int] = field(default_factory=dict)
    answered: set[tuple[str, str]] = field(default_factory=set)
    next_seat: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Go on where an earlier run of the server stopped."""
        if self.file.exists():
            for line in checking.read(self.study, self.file).lines:
                self.seats[line["participant"]] = line["seat"]
                self.answered.add((line["participant"], line["item"]))
            self.next_seat = 1 + max(self.seats.values(), default=-1)

    def sit(self, request: Any) -> dict[str, Any]:
        """The next seat, for somebody who agrees to take part; at the end also one whose holder never answered anything."""
        if request != {"consent": True}:
            raise Refused(400, "taking part needs consent")
        with self.lock:
            seat = self._free()
            if seat is None:
                raise Refused(409, "this study has all its participants")
            participant = secrets.token_hex(8)
            self.seats[participant] = seat
        return {"participant": participant, "seat": seat}

    def _free(self) -> int | None:
        """The next seat that was never given away, else the first that nobody has answered from."""
        if self.next_seat < self.study.seats:
            self.next_seat += 1
            return self.next_seat - 1
        used = {self.seats[participant] for participant, _ in self.answered}
        return next((seat for seat in range(self.study.seats) if seat not in used), None)

    def store(self, line: Any) -> dict[str, Any]:
        """One answer, appended and on disk before the page is told so; the same one again changes nothing."""
        if (trouble := checking.wrong(self.study, line)) is not None:
            raise Refused(400, trouble)
        key = (line["participant"], line["item"])
        with self.lock:
            if self.seats.get(line["participant"]) != line["seat"]:
                raise Refused(403, "no seat was given to this participant")
            if key not in self.answered:
                self._append(line)
                self.answered.add(key)
        return {"stored": True}

    def _append(self, line: Any) -> None:
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Refused(500, f"the answer could not be stored ({error.strerror})") from error


class Server(ThreadingHTTPServer):
    """The server of one study; `url` is where it is, and `shutdown` ends `serve_forever`."""

    daemon_threads = True

    def __init__(self, study: Study, file: str | Path, port: int = 0, hosts: Sequence[str] = ()) -> None:
        self.register, self.token = Register(study, Path(file)), secrets.token_urlsafe(24)
        super().__init__((_LOCAL, port), _Handler)
        own = self.server_address[1]
        self.hosts = {f"{_LOCAL}:{own}", f"localhost:{own}", *hosts}
        self.page = render(study, self.token).encode()
        self.routes: dict[str, Callable[[Any], Any]] = {"/seat": self.register.sit, "/answer": self.register.store}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed, or too slow, is no error of ours, and nobody's address is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, "a page")

    @property
    def url(self) -> str:
        """Where the first page is."""
        return f"http://{_LOCAL}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version, timeout = "pellucid", "", _PATIENCE

    def do_GET(self) -> None:
        """The page, at / and nowhere else."""
        self._guarded(lambda: self._send(200, self._page(), "text/html; charset=utf-8"))

    def do_POST(self) -> None:
        """A seat, or an answer."""
        self._guarded(lambda: self._send(200, json.dumps(self._posted()).encode(), "application/json"))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            self._check_host()
            work()
        except Refused as refused:
            self.close_connection = True  # an unread body must not be taken for the next request
            self._send(refused.status, json.dumps({"error": str(refused)}).encode(), "application/json")

    def _page(self) -> bytes:
        if self.path != "/":
            raise Refused(404, "there is nothing here")
        return self.server.page

    def _posted(self) -> Any:
        route = self.server.routes.get(self.path)
        if route is None:
            raise Refused(404, "there is nothing here")
        self._check_sender()
        try:
            body = json.loads(self._body())
        except (ValueError, RecursionError):
            raise Refused(400, "this is not JSON") from None
        return route(body)

    def _body(self) -> bytes:
        told = self.headers.get("Content-Length", "")
        if not (told.isascii() and told.isdigit()):
            raise Refused(411, "the length of the request is missing")
        if len(told) > 9 or int(told) > _LARGEST:
            raise Refused(413, "the request is too large")
        return self.rfile.read(int(told))

    def _check_host(self) -> None:
        """A name that leads here by somebody else's DNS is none of ours."""
        if self.headers.get("Host") not in self.server.hosts:
            raise Refused(421, "this server does not go by that name")

    def _check_sender(self) -> None:
        """Posted by the page that this server made, not by another site in the same browser."""
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc not in self.server.hosts:
            raise Refused(403, "this request comes from another site")
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "only JSON is read here")
        if not secrets.compare_digest(self.headers.get("X-Study-Token", "").encode(), self.server.token.encode()):
            raise Refused(403, "this page is from an earlier run of the server: please load it again")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Who asked for what, and when, is nobody's business."""


def serve(study: Study, file: str | Path, *, port: int = 8000, hosts: Sequence[str] = ()) -> Server:
    """A server that is ready: `server.serve_forever()` runs it, `server.shutdown()` from another thread ends it.

    Parameters
    ----------
    study : what is asked.
    file : where answers are appended as JSON lines; one that holds answers to this study is gone on with.
    port : on this machine; 0 takes a free one.
    hosts : further names under which a web server in front of this one is reached, as in "study.example.org".
    """
    try:
        return Server(study, file, port, hosts)
    except OSError as error:
        raise InputError(
            f"port {port} cannot be used ({error.strerror}): give another one, or 0 for any that is free."
        ) from error
