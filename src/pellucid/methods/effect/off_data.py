"""How many of the rows that a partial dependence asks about lie where there are no data?

Every row is put at every grid point. The column that goes along with the varied one most (rank correlation) is looked at
together with it, both on the scale of their ranks: a point further from the data than 99 % of the data are from each other is
one where the model was never shown anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from pellucid.methods.effect.grid import Axis
from pellucid.methods.effect.together import likeness, some

_ROWS = 1000  # of the data that are looked at
_ASKED = 200  # of these rows, evenly spaced in the other column, that are put at every grid point
_TOGETHER = 0.3  # rank correlation below which two columns are let be
_SHARE = 0.1  # of points off the data from which it is said


def off_data(x: np.ndarray, axis: Axis, names: Sequence[str], coded: np.ndarray) -> tuple[str, ...]:
    """x (n, p) -> a warning with the measured correlation and share, if they are large"""
    if coded[axis.place]:
        return ()
    numbers = np.flatnonzero(~coded)
    few = some(x, _ROWS)[:, numbers].astype(float)
    few = few[~np.isnan(few).any(axis=1)]
    if len(few) < 20 or len(numbers) < 2:
        return ()
    own = int(np.flatnonzero(numbers == axis.place)[0])
    alike = likeness(few)[own]
    other = int(np.abs(alike).argmax())
    if abs(alike[other]) < _TOGETHER:
        return ()
    share = _share(few[:, own], few[:, other], axis.codes)
    if share < _SHARE:
        return ()
    return (
        f"columns {axis.name!r} and {names[numbers[other]]!r} go together (rank correlation {alike[other]:.2f}): {share:.0%} "
        "of the rows asked about lie where there are no data; AccumulatedLocalEffects() stays on the data",
    )


def _share(own: np.ndarray, other: np.ndarray, grid: np.ndarray) -> float:
    """own, other (n,), grid (g,) -> the share of the points of rows and grid that are off the data"""
    n = len(own)
    data = np.stack([rankdata(own), rankdata(other)], axis=1) / n
    tree = cKDTree(data)
    apart = tree.query(data, k=2)[0][:, 1]
    at = np.interp(grid, np.sort(own), np.sort(data[:, 0]))
    rows = np.sort(data[:, 1])[np.linspace(0, n - 1, min(n, _ASKED)).astype(int)]
    asked = np.stack(np.broadcast_arrays(at[:, None], rows), axis=-1).reshape(-1, 2)
    reach = np.nextafter(np.quantile(apart, 0.99), np.inf)  # beyond it nobody is looked for, which is most of the work
    return float(np.isinf(tree.query(asked, distance_upper_bound=reach)[0]).mean())
