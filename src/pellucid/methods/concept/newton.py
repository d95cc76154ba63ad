"""Logistic regressions of many runs, each among the few examples that it weighs, by Newton's method in their Gram matrix.

With K the Gram matrix of a run's m examples, signs y, weights s, heights h = K a + c, p = 1 / (1 + exp(y h)), the problem

    min over a, c of  sum_i s_i log(1 + exp(-y_i h_i)) + penalty / 2 a' K a

has the slope g = -s y p and the curvature W = s p (1 - p) in h, and a Newton step solves (Jaakkola & Haussler 1999; Keerthi et al.
2005)

    (D K D + penalty) u = D h - g / D - D c,     a = D u,     sum of a = 0,     D = W^(1/2).

The matrix is never worse conditioned than (largest of W K) / penalty. A step that does not lower the sum is halved.
"""

from __future__ import annotations

import numpy as np

from pellucid.core.scalar import pieces

_STEPS, _HALVES = 40, 12
_CLOSE = 1e-9  # of the largest height: a step that moves no further ends a run
_CELLS = 2**18  # numbers of Gram matrices at once: what a processor holds near by


def newton(gram: np.ndarray, weights: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """gram (N, N), weights (N, r) -> alpha (N, r), offsets (r,)"""
    runs = weights.shape[1]
    most = int(np.count_nonzero(weights, axis=0).max())
    alpha, offset = np.zeros(weights.shape), np.zeros(runs)
    for part in pieces(runs, max(1, _CELLS // most**2)):
        some = weights[:, part]
        rows = np.argsort(some == 0, axis=0, kind="stable")[:most].T  # (b, m) those that take part come first
        mine = np.take_along_axis(some, rows.T, axis=0).T
        a, offset[part] = _solved(gram[rows[:, :, None], rows[:, None, :]], mine, penalty)
        found = np.zeros(some.shape)
        np.put_along_axis(found, rows.T, a.T, axis=0)
        alpha[:, part] = found
    return alpha, offset


def _solved(K: np.ndarray, weights: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """K (b, m, m), weights (b, m) -> a (b, m), c (b,)"""
    m = weights.shape[1]
    state, left = np.zeros((len(weights), 2 * m + 1)), np.arange(len(weights))  # K a, a and c
    for _ in range(_STEPS):
        if not len(left):
            break
        here, y, s = state[left], np.sign(weights[left]), np.abs(weights[left])
        way = _step(K if len(left) == len(K) else K[left], here, y, s, penalty) - here
        way *= _share(here, way, y, s, penalty)
        state[left] += way
        moved = np.abs(way[:, :m] + way[:, -1:]).max(axis=1)
        left = left[moved > _CLOSE * (1 + np.abs(here[:, :m] + here[:, -1:]).max(axis=1))]
    return state[:, m:-1], state[:, -1]


def _step(K: np.ndarray, state: np.ndarray, y: np.ndarray, s: np.ndarray, penalty: float) -> np.ndarray:
    """Where Newton's whole step leads, (b, 2 m + 1)"""
    m = s.shape[1]
    half = (state[:, :m] + state[:, -1:]) / 2  # (b, m) half of each height
    D = np.sqrt(s) / (np.exp(half) + np.exp(-half))
    wanted = 2 * D * half + y * np.sqrt(s) * np.exp(-y * half)  # D h - g / D
    matrix = K * D[:, :, None]
    matrix *= D[:, None, :]
    matrix[:, np.arange(m), np.arange(m)] += penalty
    q, r = np.moveaxis(np.linalg.solve(matrix, np.stack([wanted, D], axis=2)), 2, 0)
    c = (D * q).sum(axis=1, keepdims=True) / (D * r).sum(axis=1, keepdims=True)
    a = D * (q - c * r)
    return np.concatenate([(K @ a[..., None])[..., 0], a, c], axis=1)


def _share(here: np.ndarray, way: np.ndarray, y: np.ndarray, s: np.ndarray, penalty: float) -> np.ndarray:
    """(b, 1) how much of the way lowers the sum: 1, 1/2, 1/4 ..., and 0 where nothing does"""
    before = _sum(here, y, s, penalty)
    share = np.ones((len(here), 1))
    for _ in range(_HALVES):
        worse = _sum(here + share * way, y, s, penalty) > before * (1 + 1e-15)
        if not worse.any():
            return share
        share[worse] /= 2
    share[worse] = 0.0
    return share


def _sum(state: np.ndarray, y: np.ndarray, s: np.ndarray, penalty: float) -> np.ndarray:
    """(b,) what is minimised"""
    m = s.shape[1]
    Ka, a, c = state[:, :m], state[:, m:-1], state[:, -1:]
    return np.asarray((s * np.logaddexp(0, -y * (Ka + c)) + 0.5 * penalty * a * Ka).sum(axis=1))
