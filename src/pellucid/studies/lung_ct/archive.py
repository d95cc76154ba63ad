"""Unpacking an archive that comes from elsewhere: no path of it is used, no size of it is believed.

Names that lead out of a folder, links and encrypted entries refuse the whole archive. Files get numbers for names, because a name
may tell a patient's. What comes out is counted while it comes, so an archive that grows beyond what was announced is stopped.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import stat
import zipfile
from pathlib import Path, PurePosixPath

from pellucid.studies.lung_ct.refusals import Refused

CHECKSUMS = "md5hashes.csv"
_CHUNK = 1 << 20
_MOST_FILES = 20_000
_SLACK = 16 << 20  # bytes beyond what was announced
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)  # no fault of an archive's


def unpack(archive: Path, folder: Path, announced: int) -> int:
    """Unpack the DICOM files of an archive into a folder, as 00001.dcm and so on, and check them; how many there are

    Where the archive lists checksums, every file has to be in the list and the other way round.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [entry for entry in file.infolist() if not entry.is_dir()]
            _check(entries, announced)
            hashes = _hashes(file, entries)
            pictures = sorted((e for e in entries if e.filename.lower().endswith(".dcm")), key=lambda e: e.filename)
            return _write(file, pictures, folder, hashes, announced + _SLACK)
    except Refused:
        raise
    except Exception as error:  # damaged archives raise whatever they hit first
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        raise Refused("damaged archive", type(error).__name__) from None


def _check(entries: list[zipfile.ZipInfo], announced: int) -> None:
    if len(entries) > _MOST_FILES:
        raise Refused("unsafe archive", f"{len(entries):,} files")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename or "\0" in entry.orig_filename:
            raise Refused("unsafe archive", "a name that leads out of the folder")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Refused("unsafe archive", "a link")
        if entry.flag_bits & 1:
            raise Refused("unsafe archive", "an encrypted file")
    if (size := sum(entry.file_size for entry in entries)) > announced + _SLACK:
        raise Refused("unsafe archive", f"{size:,} bytes instead of {announced:,}")


def _hashes(file: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, str] | None:
    """Base name -> MD5, as the server lists them; None where it lists none"""
    listed = next((entry for entry in entries if PurePosixPath(entry.filename).name == CHECKSUMS), None)
    if listed is None:
        return None
    rows = csv.reader(file.read(listed).decode("utf-8-sig").splitlines()[1:])
    return {PurePosixPath(row[0].strip()).name: row[1].strip().lower() for row in rows if len(row) >= 2}


def _write(
    file: zipfile.ZipFile, pictures: list[zipfile.ZipInfo], folder: Path, hashes: dict[str, str] | None, most: int
) -> int:
    folder.mkdir(parents=True)
    names = [PurePosixPath(entry.filename).name for entry in pictures]
    if hashes is not None and sorted(n for n in hashes if n.lower().endswith(".dcm")) != sorted(names):
        raise Refused("damaged archive", "files that are missing, or not in the list of checksums")
    for number, (entry, name) in enumerate(zip(pictures, names, strict=True), 1):
        digest = hashlib.md5(usedforsecurity=False)
        with file.open(entry) as source, (folder / f"{number:05d}.dcm").open("wb") as target:
            while chunk := source.read(_CHUNK):
                most -= len(chunk)
                if most < 0:
                    raise Refused("unsafe archive", "more data than announced")
                digest.update(chunk)
                target.write(chunk)
        if hashes is not None and hashes[name] != digest.hexdigest():
            raise Refused("damaged archive", "a wrong checksum")
    return len(pictures)
