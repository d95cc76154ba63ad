"""The judges judged, measured: how often each metric puts a known truth above corrupted copies of it.

python docs/figures/metrics_checked.py          rewrite the tables of docs/metrics_checked.md and its picture

Worlds, corruptions and the counting are `pellucid.metrics.checked`; which metric is put to which world stands in the contract
suite, `tests/contract/metric_cases.py`. Three minutes on one core.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS.parent / "tests"))

import pellucid as pc  # noqa: E402
from contract.metric_cases import CHECKED, EXCUSED, Check  # noqa: E402
from pellucid.metrics.checked import CORRUPTIONS, WORLDS, edges, noise, rates  # noqa: E402

DRAWS = 60
FILLS: dict[str, Any] = {
    "`Deletion()`, the mean colour": pc.Deletion(randoms=1),
    '`fill="zeros"`': pc.Deletion(fill="zeros", randoms=1),
    '`fill="blur"`': pc.Deletion(fill="blur", randoms=1),
    '`fill="zeros", window=2`': pc.Deletion(fill="zeros", window=2, randoms=1),
    "`fill=NoisyLinear()`": pc.Deletion(fill=pc.NoisyLinear(), steps=10, randoms=1),
}
Rates = dict[str, dict[str, float]]  # world -> corruption -> share of draws won


def measure(checks: dict[str, Check], draws: int = DRAWS) -> dict[str, Rates]:
    """Metric -> world -> corruption -> share of draws."""
    return {
        name: {world: rates(check.quick, world, draws, check.told) for world in check.worlds}
        for name, check in checks.items()
    }


def table(found: dict[str, Rates]) -> str:
    """Markdown: in each world the corruption that is hardest to tell from the truth."""
    lines = [f"| metric | {' | '.join(WORLDS)} |", "|---|" + "---|" * len(WORLDS)]
    for name, by_world in found.items():
        cells = [_hardest(by_world[world]) if world in by_world else "" for world in WORLDS]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _hardest(by: dict[str, float]) -> str:
    worst = min(by, key=lambda name: by[name])
    beaten = [name for name in by if by[name] < 0.95]
    return f"{100 * by[worst]:.0f} %" if not beaten else ", ".join(f"{name} {100 * by[name]:.0f} %" for name in beaten)


def by_fill(draws: int = DRAWS) -> str:
    """Markdown: deletion in the world of edges, fill by fill."""
    lines = [f"| deletion | {' | '.join(CORRUPTIONS)} |", "|---|" + "---|" * len(CORRUPTIONS)]
    for name, metric in FILLS.items():
        found = rates(metric, "edges", draws)
        lines.append(f"| {name} | " + " | ".join(f"{100 * rate:.0f} %" for rate in found.values()) + " |")
    return "\n".join(lines)


def excused() -> str:
    return "\n".join(["| metric | why |", "|---|---|", *(f"| `{name}` | {why} |" for name, why in EXCUSED.items())])


def draw(file: Path) -> None:
    """Deletion of the truth and of a noisy copy of it, under zeros and painted over."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained", sharey=True)
    rng = np.random.default_rng(0)
    scene = edges(rng)
    copies = {"the truth": scene.truth, "a noisy copy of it": noise(scene.truth, rng)}
    for ax, (name, fill) in zip(axes, {"zeros": "zeros", "NoisyLinear()": pc.NoisyLinear()}.items(), strict=True):
        metric = pc.Deletion(fill=fill, steps=20, randoms=4)
        curves = {}
        for label, values in copies.items():
            record = pc.Attribution.from_arrays(values, data=scene.x, target=None)
            curves[label] = pc.evaluate(scene.model, record, metric).curves[0]
        pc.plot.curves(curves, ax)
        ax.set_title(f"deletion, fill {name} · lower is better", loc="left", fontsize=10)
    figure.savefig(file, dpi=140)


def main() -> None:
    page = DOCS / "metrics_checked.md"
    parts = {"measured": table(measure(CHECKED)), "fills": by_fill(), "excused": excused()}
    text = page.read_text(encoding="utf-8")
    for name, made in parts.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, made=made: f"{m[1]}{made}\n{m[2]}", text, flags=re.S
        )
    page.write_text(text, encoding="utf-8")
    draw(DOCS / "images" / "metrics_checked.png")


if __name__ == "__main__":
    main()
