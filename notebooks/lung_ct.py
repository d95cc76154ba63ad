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
# # Lung nodules in CT
#
# From DICOM series and readers' files to a network whose explanations are judged: the steps of `pellucid lung-ct`, in a program.
# Here they run on synthetic chests, whose nodules are known, with small patches and a narrow network, in minutes on a processor.
# On LIDC-IDRI the same calls take the archive's series and readings, 64-voxel patches, and a whole ResNet-18.
#
# It is a study, not a medical device.

# %%
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from IPython.display import Image

import pellucid as pc
from pellucid.plot._style import Sheet
from pellucid.studies import lung_ct

warnings.filterwarnings("ignore", message="IProgress not found")  # of a bar that nobody needs
torch.set_num_threads(1)
here = Path(tempfile.mkdtemp(prefix="lung_ct"))
dicom, patches, network, results = (here / name for name in ("phantom", "patches", "network", "results"))

# %% [markdown]
# ## Series and readings
#
# Chests with lungs, vessels, ribs and nodules, written as a scanner and four readers would: DICOM slices, and XML files in which
# not every reader sees every nodule.

# %%
lung_ct.write_phantom(dicom, patients=20)
series = list(lung_ct.find(dicom / "dicom", lung_ct.Tally()))
nodules = [lung_ct.match(lung_ct.parse(path)) for path in sorted((dicom / "xml").glob("*.xml"))]
print(len(series), "series;", sum(map(len, nodules)), "nodules, seen by so many readers:")
print(np.bincount([one.readers for many in nodules for one in many], minlength=5)[1:])

# %% [markdown]
# ## Patches
#
# Cubes of 1 mm, a window of Hounsfield units that becomes [-1, 1], at least two readers for a nodule, background inside the lung,
# and whole *patients* in each split. Patients go by pseudonyms, whose key is kept apart.

# %%
recipe = lung_ct.Recipe(size=32, shares=(0.6, 0.15, 0.25))
key = lung_ct.Pseudonyms(
    bytes(32)
)  # of a phantom: real patients' key is drawn and kept apart, by Pseudonyms.kept_in(file)
tally = lung_ct.prepare(dicom / "dicom", dicom / "xml", patches, recipe, key)
index = lung_ct.read_index(patches)
print(*tally.lines(), sep="\n")
index.groupby("split").agg(patients=("patient", "nunique"), patches=("label", "size"), nodules=("label", "sum"))

# %%
test = lung_ct.read_index(patches, "test")


def middles(rows):
    """The middle slice of some patches"""
    sheet = Sheet(figsize=(9, 1.8), layout="constrained")
    for ax, name, label in zip(sheet.subplots(1, len(rows)), rows["name"], rows["label"], strict=True):
        patch = lung_ct.load(patches, [name])[0, 0]
        ax.imshow(patch[len(patch) // 2], cmap="gray", vmin=-1, vmax=1)
        ax.set_title("nodule" if label else "background", fontsize=9)
        ax.set_axis_off()
    return sheet


middles(test.groupby("label").head(3).sort_values("label", ascending=False))

# %% [markdown]
# ## A network
#
# The head first, then all of it; the epoch with the best AUC on the validation patients is kept.

# %%
lung_ct.train(
    patches,
    network,
    lung_ct.phantom_plan(epochs=10, patience=10),
    device="cpu",
    heard=lambda line: print(f"epoch {line['epoch']} ({line['phase']}): AUC {line['validation_auc']:.3f}"),
)

# %% [markdown]
# ## How good is it?
#
# Patches of one patient are alike, so intervals come from drawing patients anew. A few patients say little, and the intervals
# say so.

# %%
found = lung_ct.evaluate(network, patches, results, device="cpu")
print(*found.lines(), sep="\n")

# %% [markdown]
# ## Explanations where they are needed
#
# Nobody reads a map of every patch. What is called a nodule comes first, then what is undecided, the most uncertain first, within a
# limit of time. Every row has its reason, and the saving is told.

# %%
policy = pc.ExplainWhen(above=0.5, lead=0.6, seconds=60)
selection = lung_ct.explain_when(network, patches, results, policy, device="cpu")
print(*selection.sentences(), sep="\n")
pc.plot.show(selection)

# %% [markdown]
# ## Methods side by side
#
# In [-1, 1] space zero is tissue in the middle of the window, not absence: absence is air, -1. Do the maps lie where the readers
# drew? Are they the same under a little noise? Do they order voxels better than chance?

# %%
judged = lung_ct.benchmark(
    network, patches, results, "GradCAM, LRP, IntegratedGradients(steps=8, baseline=-1.0)", most=2, device="cpu"
)
for line in judged.lines:
    print(
        f"{line.name:48s} {line.forwards:5.1f} forward passes, points at the nodule in {line.pointing:.0%} "
        f"(chance {line.pointing_chance:.0%}), centred cosine {line.centred_cosine:.2f}"
    )

# %% [markdown]
# ## Looking at them
#
# One nodule in three planes through the map's strongest voxel, with the readers' outline.

# %%
model, described = lung_ct.load_network(network)
nodule = test[test["label"] == 1].reset_index(drop=True)
one, outline = lung_ct.load(patches, nodule["name"][:1]), lung_ct.agreed(patches, nodule[:1])
gradients = pc.explain(model, one, pc.IntegratedGradients(steps=16, baseline=-1.0), target=1)
pc.plot.slices(gradients, outline=outline[0])

# %%
cam = pc.explain(model, one, pc.GradCAM(layer=lung_ct.map_layer(model, one.shape[-1])), target=1)
pc.plot.slices(cam, outline=outline[0])

# %%
relevance = pc.explain(model, one, pc.LRP(), target=1)
pc.plot.slices(relevance, outline=outline[0])

# %%
for record in (gradients, cam, relevance):
    card = pc.evaluate(model, record, [pc.Localization()], truth=outline)
    print(
        f"{type(record.method).__name__}: {card.lines[0].mean:.0%} inside the outline, by chance {card.lines[0].chance:.0%}"
    )

# %% [markdown]
# Over the whole scan, at its place in the patient: `visualise` writes figures, arrays, and NIfTI volumes for a viewer.

# %%
methods = (lung_ct.Tried("Integrated gradients", gradients.method), lung_ct.Tried("LRP", relevance.method))
name = nodule["name"][0]
lung_ct.visualise(
    network, patches, here / "seen", methods=methods, data=dicom / "dicom", pseudonyms=key, names=[name], device="cpu"
)
Image(filename=here / "seen" / "context" / f"{name}.png", width=700)

# %% [markdown]
# ## What comes out at the end
#
# A model card of what the folders hold, with what none of it shows. `pellucid lung-ct audit` adds the whole check as a page.

# %%
card = lung_ct.card(network, patches, results, about="synthetic chests.")
page = lung_ct.write_card(card, here / "card")
print(page.name, f"{page.stat().st_size / 1e3:.0f} kB, and what it says of limits:")
print(*(f"- {limit}" for limit in card.limits), sep="\n")
