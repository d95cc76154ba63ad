"""A good rule list made better: the best insertion, replacement or removal of one rule, until there is none.

One matrix product tells for all rules of the pool at once how many rows of each class each would take away from each
rule of the list and from the rest, so all insertions at all places are priced together; replacements are insertions
into the list less one rule.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.methods.glassbox.list_task import Task

Rules = tuple[int, ...]


def climb(task: Task, rules: Rules, objective: float, go: Callable[[], bool]) -> tuple[Rules, float]:
    """The list that no change of one rule makes better, and its objective."""
    weights = task.by_class.astype(np.float32)
    held = task.held.astype(np.float32)
    while go():
        moves = [_inserted(task, rules, held, weights)] if len(rules) < task.most else []
        for place in range(len(rules)):
            fewer = rules[:place] + rules[place + 1 :]
            moves.append(_inserted(task, fewer, held, weights))
            moves.append((task.price(fewer), fewer))
        guess, found = min(moves, default=(np.inf, rules))
        exact = task.price(found) if np.isfinite(guess) else np.inf
        if exact >= objective - task.tiny:
            break
        rules, objective = found, exact
    return rules, objective


def _inserted(task: Task, rules: Rules, held: np.ndarray, weights: np.ndarray) -> tuple[float, Rules]:
    """The best list with one rule of the pool inserted somewhere."""
    m, k = len(rules), weights.shape[1]
    place = task.deciding(rules)
    spread = np.zeros((len(place), m + 1, k), dtype=np.float32)
    spread[np.arange(len(place)), place] = weights
    taken = (held @ spread.reshape(len(place), -1)).reshape(len(held), m + 1, k).astype(float)  # (pool, segments, k)
    counts = spread.sum(axis=0, dtype=float)  # (segments, k)
    alone = task.loss(counts)  # (segments,)
    rest = task.loss(np.maximum(counts - taken, 0))  # (pool, segments)
    later = np.cumsum(taken[:, ::-1], axis=1)[:, ::-1]  # (pool, segments, k) what a rule inserted there would decide
    prices = (
        task.loss(later) + np.cumsum(rest[:, ::-1], axis=1)[:, ::-1] + np.concatenate([[0.0], np.cumsum(alone)[:-1]])
    )
    support = later.sum(axis=2)
    left = (counts - taken).sum(axis=2)[:, :-1] if m else np.empty((len(held), 0))
    weak = (left < task.least * (1 - 1e-6)) | (left <= 0)  # rules of the list that would decide about too few
    starved = np.cumsum(weak[:, ::-1], axis=1)[:, ::-1] > 0  # of those from a place on
    prices[:, :-1][starved] = np.inf
    prices[(support < task.least * (1 - 1e-6)) | (support <= 0)] = np.inf
    rule, at = np.unravel_index(int(np.argmin(prices)), prices.shape)
    total = float(prices[rule, at]) + task.penalty * (m + 1)
    return total, (*rules[:at], int(rule), *rules[at:])
