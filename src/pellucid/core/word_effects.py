"""Which words matter overall? Local values gathered by word over a corpus.

The mean of a word's values over all its occurrences. Occurrences in one text are no independent evidence, so the standard error
counts texts (the ratio estimator: Cochran, "Sampling Techniques", 1977, section 6.3): with n_t occurrences and a sum of values
s_t in text t of T,

    mean = sum s_t / sum n_t,    stderr^2 = T / (T - 1) * sum (s_t - mean n_t)^2 / (sum n_t)^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class WordEffects(Record):
    """One entry per word, the strongest mean first: what its presence does to the scores of a corpus."""

    names: tuple[str, ...]  # (w,)
    mean: np.ndarray  # (w,) value per occurrence
    stderr: np.ndarray  # (w,) over texts, NaN for a word of a single text
    spread: np.ndarray  # (w,) standard deviation over occurrences
    count: np.ndarray  # (w,) occurrences
    texts: np.ndarray  # (w,) texts that hold it
    positive: np.ndarray  # (w,) share of occurrences that raise the score

    def __len__(self) -> int:
        return len(self.names)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k strongest words, as (word, mean value)."""
        return [(name, float(value)) for name, value in zip(self.names[:k], self.mean[:k], strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """One line per word."""
        import pandas as pd

        columns = ("mean", "stderr", "spread", "count", "texts", "positive")
        return pd.DataFrame({"word": self.names, **{name: getattr(self, name) for name in columns}})


def word_effects(record: Attribution, *, least: int = 2, fold: bool = True) -> WordEffects:
    """Mean and spread of the values of each word that stands in at least `least` texts.

    `fold` treats upper and lower case alike. Every local explanation of texts will do, whatever method made it.
    """
    if record.texts is None or record.mask is None:
        raise InputError("word_effects gathers explanations of texts, and this record explains none.")
    there = record.mask & record.done[:, None]
    words = [str(word).casefold() if fold else str(word) for word in record.data[there]]
    names, who = np.unique(np.array(words, dtype=str), return_inverse=True)
    values, rows = record.values[there], np.nonzero(there)[0]
    kept = _texts(who, rows, len(names)) >= least
    if not kept.any():
        raise InputError(f"no word stands in {least} texts of {len(record)}: explain more texts, or lower least=.")
    facts = _facts(who, rows, values, len(names))
    order = np.flatnonzero(kept)[np.argsort(-np.abs(facts["mean"][kept]), kind="stable")]
    return WordEffects(
        names=tuple(names[order].tolist()),
        receipt=record.receipt,
        **{name: fact[order] for name, fact in facts.items()},
    )


def _texts(who: np.ndarray, rows: np.ndarray, w: int) -> np.ndarray:
    """(w,) how many texts hold each word"""
    pairs = np.unique(np.stack([who, rows]), axis=1)
    return np.bincount(pairs[0], minlength=w)


def _facts(who: np.ndarray, rows: np.ndarray, values: np.ndarray, w: int) -> dict[str, np.ndarray]:
    """who, rows, values (occurrences,): which word, in which text, with which value"""
    count = np.bincount(who, minlength=w)
    mean = np.bincount(who, values, w) / count
    off = values - mean[who]
    pairs, pair = np.unique(np.stack([who, rows]), axis=1, return_inverse=True)
    apart = np.bincount(pair.reshape(-1), off)  # s_t - mean n_t of each word in each text
    texts = np.bincount(pairs[0], minlength=w)
    squares = np.bincount(pairs[0], apart**2, w)
    with np.errstate(divide="ignore", invalid="ignore"):
        stderr = np.where(texts > 1, np.sqrt(texts / (texts - 1) * squares) / count, np.nan)
    return {
        "mean": mean,
        "stderr": stderr,
        "spread": np.sqrt(np.bincount(who, off**2, w) / count),
        "count": count,
        "texts": texts,
        "positive": np.bincount(who, values > 0, w) / count,
    }
