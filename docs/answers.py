"""The numbers of `docs/answers.md`: a small network taught on the spot to find answers in a context.

python docs/answers.py
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pellucid as pc

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
ROWS = [("Who has the boat?", "Ann lamp, Bob boat.")]


def top(record: pc.Attribution) -> str:
    return "  ".join(f"{name} {value:+.2f}" for name, value in record.top(4))


def main() -> None:
    from small_reader import tokenizer, trained

    warnings.simplefilter("ignore")
    cut = tokenizer()
    model = pc.TextModel(trained(cut), cut)
    for target in (pc.Span(), pc.Span("Bob", scale="log probability"), pc.Margin("Bob", "Ann")):
        a = pc.explain(model, ROWS, pc.ExactShapley(), target=target)
        print(f"{a.target!r}\n    {a.base_values[0]:+.2f} -> {a.scores[0]:+.2f}   {top(a)}")
    for method in (pc.Occlusion(), pc.IntegratedGradients(), pc.DeepLift(), pc.LRP()):
        a = pc.explain(model, ROWS, method, target=pc.Margin("Bob", "Ann"))
        print(f"{type(method).__name__:20} gap {a.gap[0]:+8.1e}   {top(a)}")


if __name__ == "__main__":
    main()
