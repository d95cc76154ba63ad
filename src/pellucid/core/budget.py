"""What a run may cost, what it does cost, and the receipt that says so.

`Budget` is asked for, `Meter` counts while a run goes on, `Receipt` is what stays. The clock is a field, so that no
test depends on wall time. Peak memory is sampled between model calls from the process's resident size and is
therefore approximate.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from pellucid.core.errors import InputError


@dataclass(frozen=True)
class Budget:
    """Hard limits of one run: wall seconds, model rows (forward plus backward), bytes above the start."""

    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("seconds", "rows", "bytes"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise InputError(f"Budget({name}={limit!r}): a limit is a positive number, or None for none.")


def as_budget(given: Budget | float | str | None) -> Budget:
    """A budget of what a user may give: seconds, `"60s"`, `"2m"`, or a budget."""
    if isinstance(given, Budget):
        return given
    if given is None:
        return Budget()
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Budget(seconds=float(given))
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", str(given))
    if match is None:
        raise InputError(
            f"budget {given!r} is no time: write seconds as a number, or '60s', '2m', or Budget(seconds=60)."
        )
    return Budget(seconds=float(match[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600}[match[2] or "s"])


@dataclass(frozen=True)
class Cost:
    """What a run costs or would cost: model rows, seconds, peak bytes (approximate)."""

    rows_forward: int
    rows_backward: int
    seconds: float
    peak_bytes: int


def _resident() -> int:
    """The process's resident bytes."""
    return _gauge(os.getpid())()


@lru_cache(maxsize=1)
def _gauge(pid: int) -> Callable[[], int]:
    """How to read them, looked up once a process (a fork has a number of its own): finding out costs more than reading."""
    process = psutil.Process(pid)
    return lambda: int(process.memory_info().rss)


@dataclass
class Meter:
    """Counts one run. The only mutable thing of the core; scalars add to it, sampled methods ask `spent`."""

    budget: Budget = Budget()
    on_rows: Callable[[int], None] | None = None
    rows_forward: int = 0
    rows_backward: int = 0
    peak_bytes: int = 0
    peak_rows: int = 0  # the largest number of rows one call was given
    short: bool = False  # whether sampling ended because the next round was too dear

    def __post_init__(self) -> None:
        self.budget = as_budget(self.budget)
        self._floor = _resident()
        self._start = self.budget.clock()

    def absorb(self, part: Receipt) -> None:
        """Count what another run has counted, and told, already."""
        self.rows_forward += part.rows_forward
        self.rows_backward += part.rows_backward
        self.peak_bytes = max(self.peak_bytes, part.peak_bytes)

    def add(self, forward: int = 0, backward: int = 0) -> None:
        """Count model rows; called after every model call."""
        self.rows_forward += forward
        self.rows_backward += backward
        self.peak_rows = max(self.peak_rows, forward, backward)
        self.peak_bytes = max(self.peak_bytes, _resident() - self._floor)
        if self.on_rows is not None:
            self.on_rows(forward + backward)

    @property
    def seconds(self) -> float:
        return self.budget.clock() - self._start

    @property
    def spent(self) -> bool:
        """Whether a limit is reached: finish what is begun, start nothing more."""
        return self.limit() is not None

    def limit(self) -> str | None:
        """The limit that is reached, in words, or None."""
        b = self.budget
        if b.seconds is not None and self.seconds >= b.seconds:
            return f"{b.seconds:g} seconds"
        if b.rows is not None and self.rows_forward + self.rows_backward >= b.rows:
            return f"{b.rows:,} model rows"
        if b.bytes is not None and self.peak_bytes >= b.bytes:
            return f"{b.bytes:,} bytes"
        return None

    def rows_left(self) -> float:
        """Model rows that may still be spent; infinite without a limit on rows."""
        if self.budget.rows is None:
            return float("inf")
        return max(0, self.budget.rows - self.rows_forward - self.rows_backward)

    def cost(self) -> Cost:
        return Cost(self.rows_forward, self.rows_backward, self.seconds, self.peak_bytes)


@dataclass(frozen=True)
class Receipt:
    """How a record was made, what it cost and how far it can be trusted. No path, no secret, no user data."""

    method: str
    target: str | None = None
    scale: str | None = None
    masker: str | None = None
    seed: int | None = None
    layer: str | None = None
    rows_forward: int = 0
    rows_backward: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    gap: float | None = None  # largest |gap| of a row
    stderr: float | None = None  # largest standard error of a value
    converged: bool | None = None  # whether a stopping rule was met; None where there is none
    unruled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # plain facts of how it went: a learned mask's loss and size
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the packages that a result may depend on."""
    found = {name: _version(name) for name in ("pellucid", "numpy", "scipy", *packages)}
    return {
        "python": platform.python_version(),
        **{name: known for name, known in found.items() if known is not None},
    }


@cache
def _version(package: str) -> str | None:
    """Read once a process: looking it up costs milliseconds."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def receipt(method: Any, meter: Meter, *, packages: tuple[str, ...] = (), **facts: Any) -> Receipt:
    """The receipt of a finished run."""
    cost = meter.cost()
    return Receipt(
        method=repr(method),
        seed=getattr(method, "seed", None),
        rows_forward=cost.rows_forward,
        rows_backward=cost.rows_backward,
        seconds=cost.seconds,
        peak_bytes=cost.peak_bytes,
        versions=versions(*packages),
        **facts,
    )
