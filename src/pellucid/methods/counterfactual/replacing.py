"""The search for the fewest words to replace: the best word for each place by itself, then the places as `SEDC` searches them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pellucid.core.masking import Game
from pellucid.core.text_maskers import Spans
from pellucid.methods.counterfactual.removal import OutOf, Removal, Removed
from pellucid.methods.counterfactual.substitution import Substitution
from pellucid.methods.counterfactual.vocabulary import EDGE, Swap, Vocabulary, in_case, is_word

Met = Callable[[np.ndarray], np.ndarray]


def replaced(game: Game, met: Met, method: Substitution, words: Vocabulary) -> Removed:
    """One text: the words that have to be others, `hidden (p,)`, and what stands in the place of each, `put (p,)`"""
    assert isinstance(game.bound, Spans)
    spans, names = game.bound, list(game.bound.names)
    places, tried = _candidates(names, method.candidates, words)
    try:
        every = Swap(spans, np.array(places, dtype=int), tuple(tried))
        one = Removal(replace(game, bound=every), met, method.search)
        margins = one.ask(np.eye(len(places), dtype=bool)) if places else np.zeros(0)
    except OutOf as out:
        return Removed(None, 0, short=out.of)
    best = {
        place: k for k in np.argsort(margins, kind="stable").tolist() for place in [places[k]]
    }  # the last one is the best
    some = sorted(best)
    swap = Swap(spans, np.array(some, dtype=int), tuple(tried[best[place]] for place in some))
    search = Removal(replace(game, bound=swap), met, method.search)
    search.asked = one.asked
    found = search.search()
    hidden, put = np.zeros(len(names), dtype=bool), list(names)
    for k, place in enumerate(some):
        put[place] = swap.put[k]
        hidden[place] = found.hidden is not None and found.hidden[k]
    return replace(found, hidden=None if found.hidden is None else hidden, proven=False, put=tuple(put))


def _candidates(names: list[str], k: int, words: Vocabulary) -> tuple[list[int], list[str]]:
    """For each word of a text those that could stand in its place: places and words"""
    told = [EDGE, *(name.casefold() for name in names), EDGE]
    places, tried = [], []
    for i, name in enumerate(names):
        if is_word(name):
            for word in words.fitting(told[i], told[i + 1], told[i + 2], k):
                places.append(i)
                tried.append(in_case(word, name))
    return places, tried
