"""Series from a server of The Cancer Imaging Archive: several at a time, checked, and gone on with where they stopped.

A series is there when its folder is: it gets its name after every checksum was right. A connection that is cut is tried again, from
where it stopped if the server can; what never gets through is told, and the rest goes on.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.archive import unpack
from pellucid.studies.lung_ct.nbia import TROUBLE, Server
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.refusals import Refused, Tally
from pellucid.studies.lung_ct.series import find

T = TypeVar("T")
_ROOM = 2  # archives are unpacked beside what they become


@dataclass(frozen=True)
class Patience:
    """How often a series is tried, and how long is waited before the second time; the wait doubles."""

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
    orders = _orders(server, [uid for uid in uids if uid not in there], pseudonyms, tally, patience)
    _check_room(orders, folder, workers)
    total = sum(order.size for order in orders)

    def get(order: _Order) -> Refused | None:
        try:
            _get(server, order, folder, patience, lambda got: heard(got, total))
        except Refused as error:
            return error
        return None

    with ThreadPoolExecutor(workers) as pool:
        for order, trouble in zip(orders, pool.map(get, orders), strict=True):
            if trouble is None:
                tally.used += 1
            else:
                tally.refuse(order.name, trouble)
    return tally


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


def _orders(server: Server, uids: list[str], pseudonyms: Pseudonyms, tally: Tally, patience: Patience) -> list[_Order]:
    made = []
    for uid in uids:
        try:
            size, files = _tried(lambda uid=uid: server.size(uid), patience)  # type: ignore[misc]
            made.append(_Order(uid, pseudonyms.scan(uid), size, files))
        except Refused as error:
            tally.refuse(pseudonyms.scan(uid), error)
    return made


def _check_room(orders: list[_Order], folder: Path, workers: int) -> None:
    """Enough room for all series and for the archives that are open at one time"""
    sizes = sorted((order.size for order in orders), reverse=True)
    wanted, free = sum(sizes) + _ROOM * sum(sizes[:workers]), shutil.disk_usage(folder).free
    if wanted > free:
        raise InputError(
            f"{wanted / 1e9:,.1f} GB are needed and {free / 1e9:,.1f} GB are free: give another folder, or fewer series."
        )


def _get(server: Server, order: _Order, folder: Path, patience: Patience, heard: Callable[[int], None]) -> None:
    """One series: its archive, then its files, then its name"""
    archive, opened = folder / f".{order.name}.zip", folder / f".{order.name}.open"
    for last in (False, True):  # an archive that two halves of an older file were put together to is got once more
        _tried(lambda: server.fetch(order.uid, archive, heard), patience)
        shutil.rmtree(opened, ignore_errors=True)
        try:
            files = unpack(archive, opened, order.size)
            if files != order.files:
                raise Refused("damaged archive", f"{files} of {order.files} files")
        except Refused as error:
            shutil.rmtree(opened, ignore_errors=True)
            archive.unlink(missing_ok=True)
            if last or error.reason != "damaged archive":
                raise
            continue
        opened.rename(folder / order.name)
        archive.unlink()
        return


def _tried(ask: Callable[[], T], patience: Patience) -> T:
    """Ask until an answer gets through"""
    for attempt in range(patience.tries):
        try:
            return ask()
        except TROUBLE as error:
            code = getattr(error, "code", None)
            if code in (400, 401, 403, 404):
                raise Refused("not on the server", f"it answers {code}") from None
            if code == 416:  # nothing is left to send: the archive is whole
                return None  # type: ignore[return-value]
            if attempt + 1 < patience.tries:
                patience.sleep(patience.wait * 2**attempt)
    raise Refused("connection cut", f"{patience.tries} tries")
