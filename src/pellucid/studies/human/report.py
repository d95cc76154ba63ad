"""A result -> one HTML page: the verdict, a picture of each measure, both tables, and how they were made."""

from __future__ import annotations

import base64
import io
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pellucid import plot
from pellucid.core.sealed import environment, policy
from pellucid.core.store import appearing
from pellucid.core.study import StudyResult


def write_result(result: StudyResult, path: str | Path) -> Path:
    """Write the page of a result; like the questionnaire it needs nothing else."""
    folder = files("pellucid.studies.human") / "templates"
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("study.css", "result.css"))
    pairs = list(dict.fromkeys((arm.kind, arm.measure) for arm in result.arms))
    figures = [
        {"uri": _png(result, kind, measure), "alt": f"{kind}, {measure}: as in the table"} for kind, measure in pairs
    ]
    env = environment("pellucid.studies.human")
    env.filters["three"] = three
    page = env.get_template("result.html").render(
        result=result,
        single=any(line.p_fisher == line.p_fisher for line in result.contrasts),
        figures=figures,
        policy=policy(style),
        style=Markup(style),
        receipt=result.receipt.to_json(),
    )
    with appearing(Path(path)) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(path)


def three(value: float) -> str:
    """Three digits; a dash for what is not known."""
    return f"{value:.3g}".replace("-", "\u2212") if math.isfinite(value) else "\u2013"


def _png(result: StudyResult, kind: str, measure: str) -> str:
    figure: Any = plot.study(result, measure, kind).figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
