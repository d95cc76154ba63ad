"""What was measured stands on the cards: a method that did not beat a random order says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.core.spelling import parse

PAGE = Path(__file__).parents[1] / "docs" / "evidence" / "gradient.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_method_that_did_not_beat_chance_says_so(row: list[str]):
    method = parse(row[0].strip("`"))
    for metric, verdict in (("deletion", row[3]), ("insertion", row[5])):
        said = f"no better than a random order on {metric}" in method.card.weaknesses
        assert said or verdict == "better than random", f"{row[0]}: {verdict} on {metric}"


def test_the_methods_that_users_meet_first_were_measured():
    measured = {row[0].strip("`").partition("(")[0] for row in ROWS}
    assert measured >= {"GradCAM", "GradCAMPlusPlus", "LayerCAM", "IntegratedGradients", "LRP"}
