"""The functions by which asked pairs predict the even parts of unasked ones: interactions of two and four players.

Over the signs x = 2 1_S - 1 of a coalition, with k_d the mean over sets of d players of the product of their x_i x'_i,

    K(S, S') = T k2 + k4,

beside a constant that is free. A product of d signs changes by 2 with each of its players, so that two of them interact by
4 times the mean of the other d - 2 signs as players join: 4 where d = 2 and 4/3 where d = 4, half of which is wanted. Where
pairs are enough, all interactions of two are free as well.
"""

from __future__ import annotations

from math import comb

import numpy as np

from pellucid.methods.shapley.thirds import MOST_PAIRS, THIN, Kernel, Prior

_TWOS = 30.0  # T, where interactions of two are shrunk at all
_ROOM = 1.5  # answers per free function from which they are free


def even_prior(signs: np.ndarray) -> Prior:
    """signs (m, p) -> how even parts are predicted, and half of every pair's interaction, then their sums by player

    k = p (p - 1) / 2 + p numbers: pairs in the order of `triu_indices`.
    """
    m, p = signs.shape
    first, second = np.triu_indices(p, 1)
    products = signs[:, first] * signs[:, second]  # (m, pairs)
    twos, free, start = _free(products)
    fourths = p >= 4 and m <= MOST_PAIRS and comb(p, 4) <= THIN * m
    b = _interactions(signs, products, twos, fourths)
    each = np.full(len(first), (4 * twos + fourths * 8 / 3) / max(1, len(first)))
    return Prior(
        free,
        with_sums(start, p),
        _kernel(signs, twos, fourths),
        with_sums(b, p),
        np.append(each, _sums(p, twos, fourths)),
    )


def with_sums(pairs: np.ndarray, p: int) -> np.ndarray:
    """pairs (m, p (p - 1) / 2) -> beside them the sums of all pairs with each player (m, p)"""
    first, second = np.triu_indices(p, 1)
    member = np.zeros((len(first), p))
    member[np.arange(len(first)), first] = member[np.arange(len(first)), second] = 1
    return np.concatenate([pairs, pairs @ member], axis=1)


def _free(products: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """products (m, k) -> T in K, the orthonormal directions that are free (m, f), and the map of their least squares (m, k)"""
    m, k = products.shape
    constant = np.ones((m, 1))
    left, size, right = np.linalg.svd(np.concatenate([constant, products], axis=1), full_matrices=False)
    if m < _ROOM * (k + 1) or size[-1] < size[0] * 1e-9:
        return _TWOS, constant / np.sqrt(m), np.zeros((m, k))
    return 0.0, left, (left / size) @ right @ np.concatenate([np.zeros((1, k)), 2 * np.eye(k)])


def _kernel(signs: np.ndarray, twos: float, fourths: bool) -> Kernel:
    """K, given whole where it holds fourth-order terms, else by features"""
    p = signs.shape[1]
    if not fourths:
        first, second = np.triu_indices(p, 1)
        return Kernel(signs[:, first] * signs[:, second] * np.sqrt(twos / max(1, len(first))), False)
    agree = signs @ signs.T
    return Kernel(twos * _second(agree, p) / comb(p, 2) + _fourth(agree, p) / comb(p, 4), True)


def _interactions(signs: np.ndarray, products: np.ndarray, twos: float, fourths: bool) -> np.ndarray:
    """Half of every pair's interaction in the functions K(., S): (m, p (p - 1) / 2)"""
    p, total = signs.shape[1], signs.sum(1, keepdims=True)
    first, second = np.triu_indices(p, 1)
    b = 2 * twos * products / max(1, len(first))
    if fourths:
        others = _second(total - signs[:, first] - signs[:, second], p - 2)  # of products of two others
        b = b + 2 / 3 * products * others / comb(p, 4)
    return np.asarray(b)


def _sums(p: int, twos: float, fourths: bool) -> np.ndarray:
    """(p,) the variance under K of the sum of a player's pairs: a product of four has three of them."""
    return np.full(p, 8 * twos / p + fourths * (2 / 3 * 3) ** 2 * 4 / p)


def _second(total: np.ndarray, p: int) -> np.ndarray:
    """The sum of the products of two of p signs whose sum is `total`."""
    return np.asarray((total**2 - p) / 2)


def _fourth(total: np.ndarray, p: int) -> np.ndarray:
    """The sum of the products of four of p signs whose sum is `total`."""
    return np.asarray((total**4 - (6 * p - 8) * total**2 + 3 * p * (p - 2)) / 24)
