"""How good the predictions are: discrimination, calibration, sensitivity at fixed false positives.

Patches of one patient are alike, so intervals come from drawing patients anew, not patches:

    AUC = (1 / (n+ n-)) sum_i+ sum_j- ( [s_i > s_j] + [s_i = s_j] / 2 )
    Brier score = mean (p - y)^2        expected calibration error = sum_b (n_b / n) |mean p - mean y|

False positives are a share of the background patches. "Per scan" would promise more than is known: a scan has more places than the
background patches that were cut from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import InputError

FALSE_POSITIVES = (0.01, 0.05, 0.1, 0.2)
_BINS, _DRAWS, _LEVEL = 10, 2000, 0.95


@dataclass(frozen=True)
class Assessment:
    """Numbers of one split. Intervals are of 95 %, over patients; `bins` are (mean probability, share of nodules, patches)."""

    patches: int
    patients: int
    nodules: int
    auc: float
    auc_interval: tuple[float, float]
    brier: float
    calibration_error: float
    bins: tuple[tuple[float, float, int], ...]
    sensitivity: dict[str, tuple[float, float, float]]  # share of false positives -> sensitivity and its interval

    def lines(self) -> list[str]:
        """The numbers for people."""
        low, high = self.auc_interval
        told = [f"{self.patches} patches of {self.patients} patients, {self.nodules} with a nodule"]
        told.append(f"AUC {self.auc:.3f}, 95 % interval {low:.3f} to {high:.3f} over patients")
        if low == high:
            told.append(
                f"no draw of these {self.patients} patients comes out otherwise, which is not to say that others would not"
            )
        told.append(f"Brier score {self.brier:.3f}, expected calibration error {self.calibration_error:.3f}")
        for share, (value, least, most) in self.sensitivity.items():
            told.append(f"sensitivity {value:.3f} ({least:.3f} to {most:.3f}) at {float(share):.0%} false positives")
        return told


def assess(truth: np.ndarray, probability: np.ndarray, patients: np.ndarray, seed: int = 0) -> Assessment:
    """truth (n,) of 0 and 1, probability (n,) of a nodule, patients (n,): who each patch is of"""
    truth, probability, patients = np.asarray(truth, int), np.asarray(probability, float), np.asarray(patients)
    if len(set(truth.tolist())) < 2:
        raise InputError("an assessment needs patches of both classes: take a larger split, or prepare more patients.")
    drawn = _numbers(truth, probability, _draws(patients, np.random.default_rng(seed)))
    (whole,) = _numbers(truth, probability, np.ones((1, len(truth))))
    low, high = np.nanquantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    bins = calibration(truth, probability)
    found = zip(FALSE_POSITIVES, whole[1:], low[1:], high[1:], strict=True)
    return Assessment(
        patches=len(truth),
        patients=len(np.unique(patients)),
        nodules=int(truth.sum()),
        auc=float(whole[0]),
        auc_interval=(float(low[0]), float(high[0])),
        brier=float(np.mean((probability - truth) ** 2)),
        calibration_error=float(sum(n * abs(p - y) for p, y, n in bins) / len(truth)),
        bins=bins,
        sensitivity={f"{share:g}": (float(v), float(a), float(b)) for share, v, a, b in found},
    )


def _draws(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(draws, n): how often each patch is in a draw of as many patients, with replacement"""
    who, of = np.unique(patients, return_inverse=True)
    return rng.multinomial(len(who), np.full(len(who), 1 / len(who)), size=_DRAWS)[:, of].astype(float)


def _numbers(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """weights (draws, n) -> (draws, 1 + shares): the AUC and the sensitivities; NaN where one class was not drawn"""
    levels, of = np.unique(-score, return_inverse=True)  # from the highest score down
    steps = np.zeros((len(levels), 2, len(weights)))  # (levels, background or nodule, draws)
    np.add.at(steps, (of, truth), weights.T)
    passed = steps.cumsum(0)  # at least this score
    background, nodules = passed[-1]
    with np.errstate(invalid="ignore"):
        below = background - passed[:, 0] + steps[:, 0] / 2  # ties count half
        area = (steps[:, 1] * below).sum(0) / (background * nodules)
        found = [
            np.where(passed[:, 0] <= share * background + 1e-9, passed[:, 1], 0).max(0) / nodules
            for share in FALSE_POSITIVES
        ]
        return np.where(background * nodules > 0, [area, *found], np.nan).T


def calibration(truth: np.ndarray, probability: np.ndarray) -> tuple[tuple[float, float, int], ...]:
    """(mean probability, share of nodules, patches) of ten equal intervals of probability, but the empty ones"""
    which = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    return tuple(
        (float(probability[which == b].mean()), float(truth[which == b].mean()), int((which == b).sum()))
        for b in np.unique(which)
    )
