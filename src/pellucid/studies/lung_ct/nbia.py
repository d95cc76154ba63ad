"""The protocol of The Cancer Imaging Archive's servers (NBIA REST, version 1): which series there are, how large, and their files.

    getSeries?Collection=&PatientID=&Modality=    a JSON list with a SeriesInstanceUID each
    getSeriesSize?SeriesInstanceUID=              a JSON list with TotalSizeInBytes and ObjectCount
    getImageWithMD5Hash?SeriesInstanceUID=        a zip of DICOM files and md5hashes.csv

A manifest is the text file that the archive's web site hands out: UIDs line by line after `ListOfSeriesToDownload=`.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.refusals import Refused

PUBLIC = "https://services.cancerimagingarchive.net/nbia-api/services/v1"
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MARK = "ListOfSeriesToDownload="
_CHUNK = 1 << 18
_LISTED = 64 << 20  # bytes of an answer in JSON
_SLOWEST = 1024  # bytes a second
_LARGEST, _MOST_FILES = 64 << 30, 20_000  # of a series; a thousandth of it is common
_OVERHEAD = 1024  # bytes of an archive for each file, beside what the file holds
_SLACK = 16 << 20  # bytes beyond what was announced
TROUBLE = (OSError, HTTPException)  # what another try may mend; all errors of connections are among them


@dataclass(frozen=True)
class Server:
    """Where a server is; the public one takes no password. `timeout` is how many seconds may pass without a byte."""

    url: str = PUBLIC
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError(f"{self.url!r} is no server: expected an address that begins with https://.")

    def series(self, collection: str, patient: str | None = None) -> list[str]:
        """The UIDs of a collection's CT series, or of one patient's."""
        asked = {"Collection": collection, "Modality": "CT", **({"PatientID": patient} if patient else {})}
        rows = self._list("getSeries", asked)
        if rows is None:
            raise InputError(f"{self.url} does not speak the protocol of the archive: getSeries gave no JSON list.")
        uids = [str(row.get("SeriesInstanceUID")) for row in rows if isinstance(row, dict)]
        return [uid for uid in uids if is_uid(uid)]

    def size(self, uid: str) -> tuple[int, int]:
        """Bytes and files of a series."""
        rows = self._list("getSeriesSize", {"SeriesInstanceUID": uid})
        try:
            size, files = int(float(rows[0]["TotalSizeInBytes"])), int(rows[0]["ObjectCount"])  # type: ignore[index]
        except (IndexError, KeyError, TypeError, ValueError, OverflowError):
            raise Refused("not on the server") from None
        if not (0 < size <= _LARGEST and 0 < files <= _MOST_FILES):
            raise Refused("not on the server", f"it announces {files:,} files of {size:,} bytes")
        return size, files

    def fetch(self, uid: str, path: Path, heard: Callable[[int], None], most: int) -> None:
        """Get a series' archive; what an earlier try left in `path` is gone on with where the server knows how.

        An archive that grows beyond `most` bytes is refused, whatever its headers say.
        """
        have = path.stat().st_size if path.exists() else 0
        try:
            answer = self._open("getImageWithMD5Hash", {"SeriesInstanceUID": uid}, have)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # nothing is left to send: the archive is whole
                return
            raise
        with answer:
            resumed = have > 0 and answer.status == 206 and _from(answer) == have
            with path.open("ab" if resumed else "wb") as file:
                self._receive(answer, file, heard, most - have * resumed)

    def _receive(self, answer: Any, file: Any, heard: Callable[[int], None], most: int) -> None:
        """What comes, written as it comes; at its end, or where it comes too slowly, an error that another try may mend"""
        given = answer.headers.get("Content-Length", "")
        wanted = int(given) if given.isdecimal() else None
        got, began = 0, time.monotonic()
        while chunk := answer.read1(_CHUNK if wanted is None else min(_CHUNK, wanted - got)):
            got += len(chunk)
            if got > most:
                raise Refused("unsafe archive", "more data than announced")
            file.write(chunk)
            heard(len(chunk))
            if got < (time.monotonic() - began - self.timeout) * _SLOWEST:
                raise TimeoutError("a trickle")
        if wanted is not None and got < wanted:
            raise ConnectionError(f"{got:,} of {wanted:,} bytes")

    def _list(self, what: str, asked: dict[str, str]) -> list[Any] | None:
        """The rows of an answer; None where it is no list"""
        with self._open(what, asked | {"format": "json"}) as answer:
            text = answer.read(_LISTED)
        try:
            rows = json.loads(text) if text.strip() else []
        except (ValueError, RecursionError):
            rows = None
        return rows if isinstance(rows, list) else None

    def _open(self, what: str, asked: dict[str, str], have: int = 0) -> Any:
        address = f"{self.url.rstrip('/')}/{what}?{urllib.parse.urlencode(asked)}"
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            return _opener().open(urllib.request.Request(address, headers=headers), timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            raise


def _opener() -> urllib.request.OpenerDirector:
    """Of web addresses alone: a server that leads on to a file or to another protocol leads nowhere."""
    made = urllib.request.OpenerDirector()
    for kind in ("Proxy", "Unknown", "HTTP", "HTTPS", "HTTPDefaultError", "HTTPRedirect"):
        made.add_handler(getattr(urllib.request, f"{kind}Handler")())
    made.add_handler(urllib.request.HTTPErrorProcessor())
    return made


def room(size: int, files: int) -> int:
    """The most bytes that the archive of a series may have that was announced so"""
    return size + _OVERHEAD * files + _SLACK


def asked_to_wait(error: BaseException) -> float:
    """The seconds for which a busy server asks (`Retry-After`, a number or a date); 0 where it says nothing"""
    told = str((getattr(error, "headers", None) or {}).get("Retry-After", "")).strip()
    if told.isdecimal():
        return float(told)
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    return 0.0


def is_uid(text: str) -> bool:
    """Whether it is a UID as DICOM has them: numbers between dots, 64 characters at most"""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _from(answer: Any) -> int:
    """Where a partial answer begins: `bytes 100-199/200`"""
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def read_manifest(path: str | Path) -> list[str]:
    """The UIDs of a manifest, each once, in its order."""
    if not Path(path).is_file():
        raise InputError(
            f"there is no file {Path(path).name!r}: give the manifest that the archive's web site hands out."
        )
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    if _MARK not in lines:
        raise InputError(f"{Path(path).name} is no manifest: expected a line `{_MARK}` and series below it.")
    return _uids(lines[lines.index(_MARK) + 1 :], Path(path).name)


def _uids(lines: Iterable[str], name: str) -> list[str]:
    given = [line for line in lines if line]
    if wrong := [line for line in given if not is_uid(line)]:
        raise InputError(f"{name} lists {len(wrong)} series that are no UIDs.")
    return list(dict.fromkeys(given))
