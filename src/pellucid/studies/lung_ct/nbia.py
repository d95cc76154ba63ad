"""The protocol of The Cancer Imaging Archive's servers (NBIA REST, version 1): which series there are, how large, and their files.

    getSeries?Collection=&PatientID=&Modality=    a JSON list with a SeriesInstanceUID each
    getSeriesSize?SeriesInstanceUID=              a JSON list with TotalSizeInBytes and ObjectCount
    getImageWithMD5Hash?SeriesInstanceUID=        a zip of DICOM files and md5hashes.csv

A manifest is the text file that the archive's web site hands out: UIDs line by line after `ListOfSeriesToDownload=`.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.refusals import Refused

PUBLIC = "https://services.cancerimagingarchive.net/nbia-api/services/v1"
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MARK = "ListOfSeriesToDownload="
_PATIENCE = 60.0  # seconds without a byte
_CHUNK = 1 << 18
_LISTED = 64 << 20  # bytes of an answer in JSON


@dataclass(frozen=True)
class Server:
    """Where a server is; `public` takes no password."""

    url: str = PUBLIC

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError(f"{self.url!r} is no server: expected an address that begins with https://.")

    def series(self, collection: str, patient: str | None = None) -> list[str]:
        """The UIDs of a collection's CT series, or of one patient's."""
        asked = {"Collection": collection, "Modality": "CT", **({"PatientID": patient} if patient else {})}
        return [uid for row in self._list("getSeries", asked) if _UID.fullmatch(uid := str(row["SeriesInstanceUID"]))]

    def size(self, uid: str) -> tuple[int, int]:
        """Bytes and files of a series."""
        rows = self._list("getSeriesSize", {"SeriesInstanceUID": uid})
        try:
            return int(float(rows[0]["TotalSizeInBytes"])), int(rows[0]["ObjectCount"])
        except (IndexError, KeyError, TypeError, ValueError):
            raise Refused("not on the server") from None

    def fetch(self, uid: str, path: Path, heard: Callable[[int], None]) -> None:
        """Get a series' archive; what an earlier try left in `path` is gone on with where the server knows how."""
        have = path.stat().st_size if path.exists() else 0
        with self._open("getImageWithMD5Hash", {"SeriesInstanceUID": uid}, have) as answer:
            resumed = have > 0 and answer.status == 206 and _from(answer) == have
            wanted = answer.headers.get("Content-Length")
            got = 0
            with path.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    got += len(chunk)
                    heard(len(chunk))
        if wanted is not None and got < int(wanted):
            raise ConnectionError(f"{got:,} of {int(wanted):,} bytes")

    def _list(self, what: str, asked: dict[str, str]) -> list[Any]:
        with self._open(what, asked | {"format": "json"}) as answer:
            text = answer.read(_LISTED)
        try:
            rows = json.loads(text) if text.strip() else []
        except ValueError:
            rows = None
        if not isinstance(rows, list):
            raise InputError(f"{self.url} does not speak the protocol of the archive: {what} gave no JSON list.")
        return rows

    def _open(self, what: str, asked: dict[str, str], have: int = 0) -> Any:
        address = f"{self.url.rstrip('/')}/{what}?{urllib.parse.urlencode(asked)}"
        headers = {"Range": f"bytes={have}-"} if have else {}
        return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_PATIENCE)


TROUBLE = (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError)  # what another try may mend


def _from(answer: Any) -> int:
    """Where a partial answer begins: `bytes 100-199/200`"""
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def read_manifest(path: str | Path) -> list[str]:
    """The UIDs of a manifest, each once, in its order."""
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    if _MARK not in lines:
        raise InputError(f"{Path(path).name} is no manifest: expected a line `{_MARK}` and series below it.")
    return _uids(lines[lines.index(_MARK) + 1 :], Path(path).name)


def _uids(lines: Iterable[str], name: str) -> list[str]:
    given = [line for line in lines if line]
    if wrong := [line for line in given if not _UID.fullmatch(line) or len(line) > 64]:
        raise InputError(f"{name} lists {len(wrong)} series that are no UIDs.")
    return list(dict.fromkeys(given))
