"""Series from a server of The Cancer Imaging Archive: several at a time, checked, and gone on with where they stopped.

A series is there when its folder is: it gets its name after every checksum was right. A connection that is cut is tried again, from
where it stopped if the server can; what never gets through is told, and the rest goes on.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.archive import NO_ROOM, unpack
from pellucid.studies.lung_ct.nbia import TROUBLE, Server, asked_to_wait, room
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.refusals import Refused, Tally
from pellucid.studies.lung_ct.series import find

T = TypeVar("T")
_ROOM = 2  # archives are unpacked beside what they become
_GONE = (400, 401, 403, 404, 410)  # answers that stay what they are
_LONGEST = 600.0  # seconds that a server may ask to be left alone


@dataclass(frozen=True)
class Patience:
    """How often a series is tried, and how long is waited before the second time; the wait doubles.

    A server that is busy and says for how long (`Retry-After`) is left alone for that long, ten minutes at most.
    """

    tries: int = 6
    wait: float = 1.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class _Order:
    uid: str
    name: str
    size: int
    files: int


def download(
    server: Server,
    uids: Sequence[str],
    folder: str | Path,
    pseudonyms: Pseudonyms,
    *,
    have: str | Path | None = None,
    workers: int = 4,
    patience: Patience | None = None,
    heard: Callable[[int, int], None] = lambda got, total: None,
) -> Tally:
    """Get series into folders of their own, named by pseudonyms; those in the folder `have` are not asked for

    `heard` is told of bytes as they come, and of how many there are in all.
    """
    folder, tally, patience = Path(folder), Tally(), patience or Patience()
    folder.mkdir(parents=True, exist_ok=True)
    there = _there(uids, folder, pseudonyms, have, tally)
    wanted = [uid for uid in dict.fromkeys(uids) if uid not in there]
    with ThreadPoolExecutor(workers) as pool:
        orders = []
        for uid, found in zip(
            wanted, pool.map(lambda uid: _order(server, uid, pseudonyms, patience), wanted), strict=True
        ):
            if isinstance(found, _Order):
                orders.append(found)
            else:
                tally.refuse(pseudonyms.scan(uid), found)
        _check_room(orders, folder, workers)
        total = sum(order.size for order in orders)
        got = pool.map(lambda order: _get(server, order, folder, patience, lambda more: heard(more, total)), orders)
        for order, trouble in zip(orders, got, strict=True):
            if trouble is None:
                tally.used += 1
            else:
                tally.refuse(order.name, trouble)
    return tally


def listed(server: Server, collection: str, patients: Iterable[str], patience: Patience | None = None) -> list[str]:
    """The CT series of some patients of a collection"""
    try:
        return [
            uid
            for patient in patients
            for uid in _tried(lambda patient=patient: server.series(collection, patient), patience or Patience())  # type: ignore[misc]
        ]
    except Refused as error:
        raise InputError(f"{server.url} does not list the series ({error}): try again, or give a manifest.") from None


def _there(
    uids: Iterable[str], folder: Path, pseudonyms: Pseudonyms, have: str | Path | None, tally: Tally
) -> set[str]:
    """What need not be asked for: earlier runs brought it, or it is on disk"""
    there = {uid for uid in uids if (folder / pseudonyms.scan(uid)).is_dir()}
    if have is not None:
        there |= {series.uid for series in find(have, Tally())} & set(uids)
    if there:
        tally.notes["series that were there"] += len(there)
    return there


def _order(server: Server, uid: str, pseudonyms: Pseudonyms, patience: Patience) -> _Order | Refused:
    try:
        return _Order(uid, pseudonyms.scan(uid), *_tried(lambda: server.size(uid), patience))
    except Refused as error:
        return error


def _check_room(orders: list[_Order], folder: Path, workers: int) -> None:
    """Enough room for all series and for the archives that are open at one time"""
    sizes = sorted((order.size for order in orders), reverse=True)
    wanted, free = sum(sizes) + _ROOM * sum(sizes[:workers]), shutil.disk_usage(folder).free
    if wanted > free:
        raise InputError(
            f"{wanted / 1e9:,.1f} GB are needed and {free / 1e9:,.1f} GB are free: give another folder, or fewer series."
        )


def _get(
    server: Server, order: _Order, folder: Path, patience: Patience, heard: Callable[[int], None]
) -> Refused | None:
    """One series, or why not; an archive that two halves of an older file were put together to is got once more"""
    for last in (False, True):
        try:
            _get_once(server, order, folder, patience, heard)
        except Refused as error:
            if last or error.reason != "damaged archive":
                return error
        except OSError as error:  # files of ours: those of connections are behind `_tried`
            return Refused("not written", errno.errorcode.get(error.errno or 0, type(error).__name__))
        else:
            return None
    return None


def _get_once(server: Server, order: _Order, folder: Path, patience: Patience, heard: Callable[[int], None]) -> None:
    """One series: its archive, then its files, then its name; of what is no good nothing is left"""
    archive, opened = folder / f".{order.name}.zip", folder / f".{order.name}.open"
    shutil.rmtree(opened, ignore_errors=True)
    try:
        _tried(lambda: server.fetch(order.uid, archive, heard, room(order.size, order.files)), patience)
        files = unpack(archive, opened, order.size)
        if files != order.files:
            raise Refused("damaged archive", f"{files} of {order.files} files")
        opened.rename(folder / order.name)
        archive.unlink()
    except Refused as error:
        if error.reason != "connection cut":  # the next run goes on with what came
            archive.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(opened, ignore_errors=True)


def _tried(ask: Callable[[], T], patience: Patience) -> T:
    """Ask until an answer gets through"""
    for attempt in range(patience.tries):
        try:
            return ask()
        except TROUBLE as error:
            code = getattr(error, "code", None)
            if code in _GONE:
                raise Refused("not on the server", f"it answers {code}") from None
            if getattr(error, "errno", None) in NO_ROOM:
                raise
            if attempt + 1 < patience.tries:
                patience.sleep(max(patience.wait * 2**attempt, min(asked_to_wait(error), _LONGEST)))
    raise Refused("connection cut", f"{patience.tries} tries")
