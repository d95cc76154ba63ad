"""Answers -> accuracy and time with and without explanations, each with its interval and a test that knows of participants.

A participant who misses an attention check is left out; one who stopped early counts with what was answered. Times are compared on
the log scale (their means are geometric, their differences ratios) and leave out what a page was hidden. Where people decide with a
machine's help, `follows` is how often they agree with it, and `follows wrong` how often they do where it is wrong: reliance that is
not earned (Lai & Tan 2019). Where they remove features, `improvement` is the accuracy gained by training without them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import barnard_exact, fisher_exact

from pellucid.core.budget import Receipt, versions
from pellucid.core.errors import InputError
from pellucid.core.study import Arm, Contrast, Measure, StudyResult
from pellucid.studies.human import inference
from pellucid.studies.human.answers import Answers, Line, Source, read
from pellucid.studies.human.item import ATTENTION, Item
from pellucid.studies.human.study import Study
from pellucid.studies.human.tasks.features import KIND as REMOVAL
from pellucid.studies.human.tasks.features import Retrain

_PROPORTIONS = ("accuracy", "follows", "follows wrong")
_SHORTEST = 1e-3  # seconds: the logarithm needs something
Score = Callable[[Item, Line], float]


@dataclass(frozen=True, eq=False)
class Cells:
    """One measure of one kind of task: sums and counts (participants, conditions) over each participant's answers."""

    kind: str
    measure: Measure
    sums: np.ndarray
    counts: np.ndarray
    chances: tuple[tuple[float, ...], ...]  # of each condition's answers

    def values(self, condition: int) -> np.ndarray:
        """(m,) the mean of each participant who answered in this condition."""
        there = self.counts[:, condition] > 0
        made: np.ndarray = self.sums[there, condition] / self.counts[there, condition]
        return made


def analyze(
    study: Study,
    answers: Source | Iterable[str | Path] | Answers,
    *,
    retrain: Retrain | None = None,
    misses: int = 0,
    seed: int = 0,
) -> StudyResult:
    """Compare every condition with the study's first one.

    Parameters
    ----------
    study : what was asked, with the right answers.
    answers : files of JSON lines, or lines.
    retrain : dropped features -> accuracy without them, as `retraining` makes it; needed to measure removals.
    misses : how many attention checks somebody may miss and still count.
    seed : of the randomisation test, where there are too many arrangements to list.
    """
    start = time.perf_counter()
    given = answers if isinstance(answers, Answers) else read(study, answers)
    people = [lines for lines in given.people.values() if _missed(study, lines) <= misses]
    if not people:
        raise InputError(
            f"{len(given.people)} participants answered and none of them counts: there is nothing to analyse."
        )
    cells = [
        one
        for kind in dict.fromkeys(item.kind for item in study.questions)
        for one in _measured(study, people, kind, retrain)
    ]
    rng = np.random.default_rng(seed)
    return StudyResult(
        title=study.title,
        conditions=study.conditions,
        arms=tuple(arm for one in cells for arm in _arms(study, one)),
        contrasts=tuple(line for one in cells for line in _contrasts(study, one, rng)),
        participants=len(people),
        excluded=len(given.people) - len(people),
        unfinished=sum(len(lines) < len(study.items) for lines in people),
        receipt=Receipt(
            method=f"analyze(misses={misses})",
            seed=seed,
            seconds=time.perf_counter() - start,
            notes=(f"study {study.id}", f"{given.repeated} repeated answers left out"),
            versions=versions(),
        ),
    )


def _missed(study: Study, lines: tuple[Line, ...]) -> int:
    checks = [(study.by_id[line["item"]], line) for line in lines if study.by_id[line["item"]].kind == ATTENTION]
    return sum(not _right(item, line) for item, line in checks)


def _right(item: Item, line: Line) -> float:
    return float(set(line["answer"]) == set(item.right))


def _measured(study: Study, people: list[tuple[Line, ...]], kind: str, retrain: Retrain | None) -> list[Cells]:
    """The measures that this kind of task has."""
    scores: dict[Measure, Score] = {"accuracy": _right, "seconds": _log_seconds}
    items = [item for item in study.questions if item.kind == kind]
    if any(item.machine for item in items):
        scores["follows"] = _follows
        if any(item.machine not in item.right for item in items):
            scores["follows wrong"] = lambda item, line: np.nan if item.machine in item.right else _follows(item, line)
    if kind == REMOVAL and retrain is not None:
        before = retrain(())
        scores["improvement"] = lambda item, line: retrain(tuple(line["answer"])) - before
    return [_cells(study, people, kind, measure, score) for measure, score in scores.items()]


def _log_seconds(item: Item, line: Line) -> float:
    return float(np.log(max(line["seconds"] - line["away"], _SHORTEST)))


def _follows(item: Item, line: Line) -> float:
    return float(item.machine in line["answer"])


def _cells(study: Study, people: list[tuple[Line, ...]], kind: str, measure: Measure, score: Score) -> Cells:
    places = {name: j for j, name in enumerate(study.conditions)}
    sums, counts = np.zeros((2, len(people), len(places)))
    chances: list[list[float]] = [[] for _ in places]
    for i, lines in enumerate(people):
        for line in lines:
            item, j = study.by_id[line["item"]], places[line["condition"]]
            if item.kind == kind and item.asks and np.isfinite(value := score(item, line)):
                sums[i, j] += value
                counts[i, j] += 1
                chances[j].append(item.chance)
    return Cells(kind, measure, sums, counts, tuple(map(tuple, chances)))


def _arms(study: Study, cells: Cells) -> list[Arm]:
    made = []
    for j, condition in enumerate(study.conditions):
        there = cells.counts[:, j] > 0
        if not there.any():
            continue
        right, answers = cells.sums[there, j], cells.counts[there, j]
        arm = Arm(cells.kind, cells.measure, condition, int(there.sum()), int(answers.sum()), np.nan, np.nan, np.nan)
        if cells.measure in _PROPORTIONS:
            share = float(right.sum() / answers.sum())
            low, high = inference.clopper_pearson(share, inference.effective(right, answers))
            arm = replace(arm, mean=share, low=low, high=high)
            if cells.measure == "accuracy":
                p = inference.guessing(int(right.sum()), cells.chances[j])
                arm = replace(arm, chance=float(np.mean(cells.chances[j])), p_chance=p)
        else:
            values = cells.values(j)
            ends = (float(values.mean()), *inference.student(values))
            mean, low, high = np.exp(ends).tolist() if cells.measure == "seconds" else ends
            arm = replace(arm, mean=mean, low=low, high=high)
        made.append(arm)
    return made


def _contrasts(study: Study, cells: Cells, rng: np.random.Generator) -> list[Contrast]:
    """Every condition that has participants against the first; p-values allow for all of them."""
    if not (cells.counts[:, 0] > 0).any():
        return []
    compare = _paired if study.within else _unpaired
    lines = [
        compare(cells, j, study.conditions, rng)
        for j in range(1, len(study.conditions))
        if (cells.counts[:, j] > 0).any()
    ]
    adjusted = inference.holm(np.array([line.p for line in lines]))
    return [replace(line, p_holm=float(p)) for line, p in zip(lines, adjusted, strict=True)]


def _unpaired(cells: Cells, j: int, names: tuple[str, ...], rng: np.random.Generator) -> Contrast:
    """Between participants."""
    first, second = cells.values(0), cells.values(j)
    treated = np.arange(len(first) + len(second)) >= len(first)
    p = inference.randomisation(np.concatenate([first, second]), treated, rng)
    fisher = barnard = np.nan
    if cells.measure in _PROPORTIONS:
        tables = [(cells.sums[there, c], cells.counts[there, c]) for c in (0, j) for there in [cells.counts[:, c] > 0]]
        shares = [(float(right.sum() / n.sum()), inference.effective(right, n)) for right, n in tables]
        away, ends = shares[1][0] - shares[0][0], inference.newcombe(shares[0], shares[1])
        if all((n == 1).all() for _, n in tables):
            fisher, barnard = _two_by_two([[r.sum(), (n - r).sum()] for r, n in tables])
    else:
        away, ends = float(second.mean() - first.mean()), inference.welch(first, second)
    return _contrast(cells, names[j], names[0], (away, *ends), (p, fisher, barnard))


def _two_by_two(table: list[list[float]]) -> tuple[float, float]:
    whole = np.array(table, dtype=int)
    if (whole.sum(axis=0) == 0).any():
        return 1.0, 1.0  # everybody gave the same answer
    return float(fisher_exact(whole).pvalue), float(barnard_exact(whole.T).pvalue)


def _paired(cells: Cells, j: int, names: tuple[str, ...], rng: np.random.Generator) -> Contrast:
    """Within participants: those who answered in both conditions."""
    both = (cells.counts[:, [0, j]] > 0).all(axis=1)
    means = cells.sums[both] / np.maximum(cells.counts[both], 1)
    away = means[:, j] - means[:, 0]
    middle = float(away.mean()) if len(away) else np.nan
    p = inference.sign_flips(away, rng)
    return _contrast(cells, names[j], names[0], (middle, *inference.student(away)), (p, np.nan, np.nan))


def _contrast(
    cells: Cells, name: str, against: str, ends: tuple[float, float, float], p: tuple[float, float, float]
) -> Contrast:
    away, low, high = np.exp(ends).tolist() if cells.measure == "seconds" else ends
    return Contrast(cells.kind, cells.measure, name, against, away, low, high, p[0], np.nan, p[1], p[2])
