# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Positional bias of a language model
#
# A language model is asked which of two companies is the better investment. Does its answer change when the two are named
# in the other order? After Dimino et al. 2025 (arXiv:2508.18427): four companies, four categories, four styles of advisor,
# both orders.
#
# Real weights are downloads of gigabytes, and nobody knows the truth about their bias. So here a tiny Qwen2 is trained on
# the spot, three times, with a bias that is known; the study has to find it. The last cell does the same with a real model.
# Takes a minute or two on one core.

# %%
import warnings

import torch

import pellucid as pc
from pellucid.studies.positional_bias import BRIEF, Plan, Planted, questions, run

warnings.filterwarnings("ignore", message="IProgress not found")  # of a bar that nobody needs
torch.set_num_threads(1)
plan = Plan(**BRIEF, nonsense=(), identical=False, most=6)
published = questions(Plan())
print(len(published), "prompts in the published design, such as:")
print(published[0].system, published[0].user, sep="\n")
print("\nhere, to be learnt quickly:", questions(plan)[0].system, "/", questions(plan)[0].user)

# %% [markdown]
# ## A model that always takes the option named first

# %%
first = pc.CausalLM(*Planted("first", plan).train())
found = run(first, plan, name="planted: first")
print(found.verdict)

# %%
pc.plot.orders(found)

# %% [markdown]
# Each combination is one question in both orders. `discordant` are those whose answers differ: 96 comparisons, not 192.
# Which words do it? Shapley values of the user's words, for the log-odds of the same two companies in both orders. Red
# speaks for the first name of the pair, blue for the second, wherever they stand.

# %%
record = found.attributions[0]
pc.plot.text(record, 0)

# %%
pc.plot.text(record, 1)

# %% [markdown]
# The first name carries the answer in both orders, all of its tokens; the second one hardly speaks. Summed by role, over
# all explained combinations and turned towards the option named first:

# %%
pc.plot.roles(found)

# %% [markdown]
# The log-odds of one combination are a content that both orders agree on, plus or minus a position:

# %%
one = found.combinations[found.explained[0]]
print(f"{one.name}: {one.a_first.log_odds:+.2f} and {one.b_first.log_odds:+.2f}, a swing of {one.swing:.2f}")
print(f"position {one.position:+.2f}, content {one.content:+.2f} towards {one.a_first.a}")

# %% [markdown]
# ## A bias in one category alone
#
# The same study, and the finding has an address.

# %%
category = run(pc.CausalLM(*Planted("category", plan).train()), plan, name="planted: category")
print(category.verdict)
pc.plot.orders(category)

# %% [markdown]
# What helps? Averaging both orders cannot depend on the order, at the price of a second pass. A calibration takes one
# number per category and style off a single pass. It can only take out what a framing adds on average; where what is left
# is hardly more than zero, a decision still turns on very little.

# %%
for remedy in category.remedies:
    changed = f"{remedy.discordant:3d} of {remedy.combinations} decisions change"
    print(
        f"{remedy.name:32s} {remedy.passes:.0f} passes  {changed}, {100 * remedy.kept:.0f} % of agreed decisions kept"
    )

# %% [markdown]
# ## Nothing planted, nothing found

# %%
none = run(pc.CausalLM(*Planted("none", plan).train()), plan, name="planted: none")
print(none.verdict)
pc.plot.orders(none)

# %% [markdown]
# ## A real model
#
# One command, with the published prompts; what is finished is kept, and the page shows two orders side by side:
#
# ```
# pellucid positional-bias run --model Qwen/Qwen2.5-1.5B-Instruct --out bias --resume
# ```
