"""How often the study of positional bias finds one in trained networks that have none.

    OMP_NUM_THREADS=1 python benchmarks/positional_bias.py [--rule none] [--seeds 40] [--first 0]

Each seed trains a small Qwen2 anew on the 192 prompts of a short plan. "none": the content decides, whatever the order. "coin": a
coin was thrown for each prompt, so many answers change with the order but neither position is favoured. Each network is then asked
every prompt in both orders. Found is what the page would say: a verdict, a category or style whose p with Holm's correction is
below 0.05, and the two tests alone. Rates have exact intervals (Clopper and Pearson).
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import torch

import pellucid as pc
from pellucid.studies.human.inference import clopper_pearson
from pellucid.studies.positional_bias import BRIEF, Plan, Planted, run

PLAN = Plan(**BRIEF, most=0, nonsense=(), identical=False)  # type: ignore[arg-type]
STEPS = {"none": 600, "coin": 300}  # coins are not learnt by heart that fast, and need not be


def found(rule: Any, seed: int) -> dict[str, bool]:
    """What the study says of one trained network."""
    start = time.process_time()
    net, tokenizer = Planted(rule, PLAN, seed).train(width=32, steps=STEPS[rule])
    result = run(pc.CausalLM(net, tokenizer), PLAN)
    whole = result.line("all")
    made = {
        "verdict": result.biased is not None,
        "a category or style": any(one.p_holm < 0.05 for one in result.lines if one.by in ("category", "style")),
        "test over combinations": whole.p < 0.05,
        "test over pairs": result.p_pairs < 0.05,
    }
    counts = f"first {whole.first:2d}, second {whole.second:2d}, same {whole.same:2d}, unclear {whole.unclear:2d}"
    said = f"p {whole.p:.3f}, over pairs {result.p_pairs:.3f}, {time.process_time() - start:.0f} s"
    print(f"{rule} {seed:3d}: {counts}; {said}; found: {[name for name, yes in made.items() if yes]}", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", choices=list(STEPS), default="none")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    made = [found(given.rule, seed) for seed in range(given.first, given.first + given.seeds)]
    for name in made[0]:
        hits = sum(one[name] for one in made)
        low, high = clopper_pearson(hits / len(made), len(made))
        print(f"{name:24s} {hits} of {len(made)}: {100 * hits / len(made):.0f} % ({100 * low:.1f} to {100 * high:.1f})")


if __name__ == "__main__":
    main()
