"""Does the order of two options decide what a language model answers, and which words carry it?

    import pellucid as pc
    from pellucid.studies.positional_bias import Plan, run, write_page

    lm = pc.CausalLM.load("Qwen/Qwen2.5-1.5B-Instruct")
    result = run(lm, Plan(), "out", resume=True)  # 192 prompts, 96 comparisons; what is finished is kept in out/
    write_page(result, "out/positional_bias.html")

`Plan.load("plan.yaml")` asks about anything else with two options; `Planted("first").train()` makes a small model whose
bias is known.
"""

from pellucid.studies.positional_bias.answers import chosen
from pellucid.studies.positional_bias.page import write_page
from pellucid.studies.positional_bias.plan import Plan
from pellucid.studies.positional_bias.planted import BRIEF, RULES, Planted
from pellucid.studies.positional_bias.prompts import Prompt, controls, questions
from pellucid.studies.positional_bias.run import run

__all__ = ["BRIEF", "RULES", "Plan", "Planted", "Prompt", "chosen", "controls", "questions", "run", "write_page"]
