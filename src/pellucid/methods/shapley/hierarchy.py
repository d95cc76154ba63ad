"""Players in a tree: groups of groups of players, for values that treat a group as one until it is divided.

A tree is a player's number or a tuple of trees. Places are halved along their longer side again and again (two halvings are
one step of a quadtree), a text first between its sentences; columns of a table are joined pair by pair, the most correlated first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from pellucid.core.errors import InputError, MethodError
from pellucid.core.masking import Bound, Game

Tree = int | tuple["Tree", ...]


def members(tree: Tree) -> list[int]:
    """The players of a tree, from left to right."""
    return [tree] if isinstance(tree, int) else [player for branch in tree for player in members(branch)]


def named(spelled: Any, names: Sequence[str]) -> Tree:
    """A tree of players of nested names or numbers, each player once."""
    tree = _numbered(spelled, names)
    found = members(tree)
    wrong = [names[i] for i in range(len(names)) if found.count(i) != 1]
    if wrong:
        raise MethodError(
            f"the hierarchy holds {wrong[0]!r} {found.count(names.index(wrong[0]))} times: name every player once, "
            f"as in {_example(names)}."
        )
    return tree


def of_game(game: Game) -> Tree:
    """A tree for the players as they are: by place, or by correlation for the columns of a table, words by sentence."""
    bound, p = game.bound, game.players
    if p == 1:
        return 0
    if (sections := getattr(bound, "sections", None)) is not None:
        return by_section(_centers(bound, p), sections)
    absent = bound.fill(np.zeros((1, p), dtype=bool))[0, :, 0]  # (draws, *features)
    if absent.ndim == 2 and bound.labels is not None:
        return by_correlation(absent, bound.names, bound.labels)
    return by_place(_centers(bound, p))


def by_place(centers: np.ndarray) -> Tree:
    """centers (p, sides) -> halves of halves, cut across the longer side"""
    return _halved(np.arange(len(centers)), centers)


def by_section(centers: np.ndarray, sections: np.ndarray) -> Tree:
    """centers (p, sides), sections (p,) in order -> halves of halves of the sections, then of the players in each"""
    known = np.unique(sections)
    if len(known) == 1:
        return _halved(np.arange(len(sections)), centers) if len(sections) > 1 else 0
    first = sections <= known[len(known) // 2 - 1]
    return tuple(_moved(by_section(centers[half], sections[half]), np.flatnonzero(half)) for half in (first, ~first))


def by_correlation(rows: np.ndarray, names: Sequence[str], player: np.ndarray | None = None) -> Tree:
    """rows (b, columns) -> average linkage with 1 - |correlation| as the distance; a constant column is far from all others.

    `player` (columns,): whose each column is; players of several columns are as near as their nearest two.
    """
    if len(rows) < 3:
        raise InputError(
            f"{len(rows)} background rows say nothing of how columns go together: give at least 3, or the groups, "
            f"as in PartitionShap(hierarchy={_example(names)})."
        )
    centered = rows - np.nanmean(rows, axis=0)
    centered = np.where(np.isnan(centered), 0, centered)
    size = np.sqrt((centered**2).sum(0))
    unit = centered / np.where(size > 0, size, 1)
    likeness = _between(np.abs(unit.T @ unit), np.arange(rows.shape[1]) if player is None else player)
    distance = 1 - likeness.round(12)
    np.fill_diagonal(distance, 0)
    trees: list[Tree] = list(range(len(names)))
    for left, right, *_ in linkage(squareform(distance), "average"):
        trees.append((trees[int(left)], trees[int(right)]))
    return trees[-1]


def _between(likeness: np.ndarray, player: np.ndarray) -> np.ndarray:
    """(columns, columns) -> (p, p) the largest likeness between two players' columns"""
    order = np.argsort(player, kind="stable")
    order = order[player[order] >= 0]
    starts = np.flatnonzero(np.diff(player[order], prepend=-1))
    rows = np.maximum.reduceat(likeness[np.ix_(order, order)], starts, axis=0)
    return np.asarray(np.maximum.reduceat(rows, starts, axis=1))


def _moved(tree: Tree, places: np.ndarray) -> Tree:
    """The same tree with player i called places[i]."""
    return int(places[tree]) if isinstance(tree, int) else tuple(_moved(branch, places) for branch in tree)


def _numbered(spelled: Any, names: Sequence[str]) -> Tree:
    if isinstance(spelled, tuple | list):
        branches = tuple(_numbered(branch, names) for branch in spelled)
        return branches[0] if len(branches) == 1 else branches
    if isinstance(spelled, str) and spelled in names:
        return list(names).index(spelled)
    if isinstance(spelled, int) and 0 <= spelled < len(names):
        return int(spelled)
    raise MethodError(
        f"the hierarchy names {spelled!r}; the players are {', '.join(names[:20])}, or 0 to {len(names) - 1}."
    )


def _example(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names]
    return f"(({shown[0]}, {shown[1]}), {', '.join(shown[2:4])}, ...)" if len(shown) > 2 else f"({', '.join(shown)})"


def _centers(bound: Bound, p: int) -> np.ndarray:
    """(p, sides) the middle of each player's places."""
    if bound.labels is not None:
        where = [np.argwhere(bound.labels == player) for player in range(p)]
    else:
        where = [np.argwhere(bound.lift(np.eye(1, p, player))[0]) for player in range(p)]
    return np.array([places.mean(0) for places in where])


def _halved(players: np.ndarray, centers: np.ndarray) -> Tree:
    if len(players) == 1:
        return int(players[0])
    here = centers[players]
    low, high = here.min(0), here.max(0)
    side = int(np.argmax(high - low))
    first = here[:, side] < (low[side] + high[side]) / 2
    if not first.any():  # all in one place: any halves are as good
        first = np.arange(len(players)) < len(players) // 2
    return _halved(players[first], centers), _halved(players[~first], centers)
