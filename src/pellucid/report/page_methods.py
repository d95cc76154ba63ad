"""The page's part on methods: each in a line with what the metrics say of it, and their curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Curve, Line
from pellucid.report import figures
from pellucid.report.words import number, signed

PLACES = ("PointingGame", "Localization")
METRICS = ("Deletion", "Insertion", "Completeness", "Stability", "ModelRandomization")


def glance(compared: Comparison) -> list[dict[str, Any]]:
    """One line a method: every metric's mean and verdict, and the cost."""
    made, shown = [], PLACES if located(compared) else ()
    for name, record, card in zip(compared.names, compared.attributions, compared.scorecards, strict=True):
        lines = {line.metric: line for line in card.lines}
        r, rows = record.receipt, max(1, int(record.done.sum()))
        made.append(
            {
                "name": name,
                "question": getattr(getattr(record.method, "card", None), "question", ""),
                "cells": [_cell(lines.get(metric), additive(record)) for metric in (*METRICS, *shown)],
                "model_rows": (r.rows_forward + r.rows_backward) / rows,
                "seconds": r.seconds / rows,
            }
        )
    return made


def located(compared: Comparison) -> bool:
    """Whether maps were held to places that are known."""
    return any(line.metric in PLACES for card in compared.scorecards for line in card.lines)


def additive(record: Attribution) -> bool:
    """Whether the values are meant to add up."""
    return bool(getattr(getattr(record.method, "card", None), "complete", False))


def _cell(line: Line | None, adds_up: bool) -> dict[str, Any]:
    """A number, a word, and a mood: good, bad or open."""
    if line is None:
        return {"text": "–", "verdict": "", "mood": "none"}
    value = line.mean if line.advantage is None else line.advantage
    low, high = (line.low, line.high) if line.advantage is None else (line.advantage_low, line.advantage_high)
    text = number(value) if line.advantage is None else signed(value)
    verdict = line.verdict.partition(";")[0].partition(":")[0]
    if line.metric == "Completeness" and not adds_up:
        return {"text": text, "verdict": "not meant to add up", "mood": "none", "low": low, "high": high}
    good = verdict.startswith(("better", "passes"))
    bad = verdict.startswith(("worse", "fails", "no better", "degenerate"))
    return {
        "text": text,
        "verdict": verdict,
        "mood": "good" if good else "bad" if bad else "open",
        "low": low,
        "high": high,
    }


def curves(compared: Comparison) -> list[dict[str, str]]:
    """Deletion and insertion of all methods, each metric in one figure."""
    made = []
    for metric in ("Deletion", "Insertion"):
        records = {
            name: _judged(curve)
            for name, card in zip(compared.names, compared.scorecards, strict=True)
            for curve in card.curves
            if curve.metric == metric and curve.curves is not None
        }
        if records:
            made.append({"name": metric, "figure": figures.curves(records)})
    return made


def _judged(curve: Curve) -> Curve:
    """The rows that were finished."""
    return curve[np.isfinite(curve.value)]


def disputes(compared: Comparison) -> list[str]:
    """Pairs that rank some row differently, in words: first those in which the evidence takes a side."""
    found = [one for one in compared.disputes if len(one.rows)]
    return [one.sentence for one in sorted(found, key=lambda one: one.side is None)]
