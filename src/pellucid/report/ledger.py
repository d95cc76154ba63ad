"""What an audit may cost and what it left undone: parts in order of value, each only begun when it can be paid for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from pellucid.core.budget import Budget, Meter, Receipt
from pellucid.core.budget import as_budget as as_budget  # audits are asked with one
from pellucid.core.errors import PellucidError

Progress = Callable[[str, float], None]
Because = Literal["budget", "interrupted", "model"]


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of work. `rows` is how many model rows it is expected to cost; `weight` its share of the progress bar.

    `record` names what it makes; `local`: it is about the rows that are shown; `after`: the part whose record it rests on.
    """

    name: str
    run: Callable[[Budget], Receipt | None]
    rows: Callable[[], float] = lambda: 0.0
    weight: float = 1.0
    record: str = ""
    local: bool = False
    after: str = ""


@dataclass
class Ledger:
    """Time and model rows spent so far. The only mutable thing of an audit besides what it found.

    `earlier` says whether a part need not be done, because an earlier run did it; `finished` hears of each that was done.
    """

    budget: Budget
    progress: Progress = lambda text, fraction: None
    earlier: Callable[[Part], bool] = lambda part: False
    finished: Callable[[Part, Receipt, list[dict[str, str]]], None] = lambda part, receipt, left: None
    rows_forward: int = 0
    rows_backward: int = 0
    left_out: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._meter = Meter(self.budget)

    @property
    def seconds(self) -> float:
        return self._meter.seconds

    @property
    def meter(self) -> Meter:
        """A meter for the receipt of the whole."""
        self._meter.rows_forward, self._meter.rows_backward = self.rows_forward, self.rows_backward
        return self._meter

    def count(self, receipt: Receipt | Meter) -> None:
        """Add what something cost."""
        self.rows_forward += receipt.rows_forward
        self.rows_backward += receipt.rows_backward

    def run(self, parts: list[Part]) -> None:
        """Do the parts one after the other; note those that the budget, the model or an interruption does not allow."""
        total, before = sum(part.weight for part in parts) or 1.0, 0.0
        for i, part in enumerate(parts):
            try:
                self.progress(part.name, before / total)
                self._do(part)
            except BaseException:
                for undone in parts[i:]:
                    self.leave(undone.name, "interrupted", "interrupted")
                raise
            before += part.weight
        self.progress("done", 1.0)

    def _do(self, part: Part) -> None:
        if self.earlier(part):
            return
        expected = part.rows()
        if self._beyond(expected):
            self.leave(part.name, f"the budget of {self.words()} was spent or would have been exceeded", "budget")
            return
        noted = len(self.left_out)
        try:
            receipt = part.run(self.rest())
        except PellucidError as error:
            self.leave(part.name, str(error))
            return
        if receipt is not None:
            self.count(receipt)
            self.finished(part, receipt, self.left_out[noted:])

    def leave(self, part: str, why: str, because: Because = "model") -> None:
        """Note something that is not done."""
        self.left_out.append({"part": part, "why": why, "because": because})

    def _beyond(self, rows: float) -> bool:
        """Whether this many more model rows go beyond what is left, at the speed of the rows so far."""
        b, used = self.budget, self.rows_forward + self.rows_backward
        if b.rows is not None and used + max(rows, 1) > b.rows:
            return True
        if b.seconds is None:
            return False
        seconds = self.seconds
        return seconds >= b.seconds or seconds + rows * seconds / max(used, 1) > b.seconds

    def affordable(self, rows: float) -> float:
        """How many pieces of work of this many model rows are still paid for; infinite without a limit."""
        b, used = self.budget, self.rows_forward + self.rows_backward
        left: list[float] = [] if b.rows is None else [b.rows - used]
        if b.seconds is not None:
            seconds = self.seconds
            left.append((b.seconds - seconds) * max(used, 1) / max(seconds, 1e-9))
        return max(0.0, min(left, default=float("inf")) / rows)

    def rest(self) -> Budget:
        """What is left, as the budget of one part."""
        b, used = self.budget, self.rows_forward + self.rows_backward
        seconds = None if b.seconds is None else max(1e-9, b.seconds - self.seconds)
        return replace(b, seconds=seconds, rows=None if b.rows is None else max(1, b.rows - used))

    def words(self) -> str:
        """The limits, as a person says them."""
        b = self.budget
        limits = [] if b.seconds is None else [f"{b.seconds:g} seconds"]
        limits += [] if b.rows is None else [f"{b.rows:,} model rows"]
        return " and ".join(limits) or "nothing"
