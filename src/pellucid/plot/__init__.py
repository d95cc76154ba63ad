"""Plots of records: plain functions, the record first, `ax=None`, the axes back.

    ax = pc.plot.show(a)                        # the usual picture of this record
    pc.plot.bar(a, row=3, ax=axes[0, 1])        # into a figure of your own
    ax.figure.savefig("why.svg", dpi=200)       # dots an inch of the pictures inside

Without `ax` a new figure is made that `pyplot` knows nothing of: nothing to close, no global setting touched, and a
notebook shows it when the call is the last line of a cell. Inside a script's window, give axes of `plt.subplots()`.
"""

from pellucid.plot._advice import advice
from pellucid.plot._agreement import agreement
from pellucid.plot._bar import bar
from pellucid.plot._beeswarm import beeswarm
from pellucid.plot._beside import beside
from pellucid.plot._changes import changes
from pellucid.plot._cohorts import cohorts
from pellucid.plot._coloured import text_html, text_terminal
from pellucid.plot._concepts import concepts
from pellucid.plot._counterfactuals import counterfactuals
from pellucid.plot._curve import curve, curves
from pellucid.plot._decision import decision
from pellucid.plot._disputes import disputes
from pellucid.plot._dissection import detectors, dissection
from pellucid.plot._effect import effect
from pellucid.plot._error_map import error_map
from pellucid.plot._examples import examples
from pellucid.plot._force import force
from pellucid.plot._heatmap import heatmap
from pellucid.plot._image import gallery, image, picture
from pellucid.plot._importance import importance
from pellucid.plot._influence import difficulty, influence
from pellucid.plot._interactions import interactions
from pellucid.plot._label_errors import label_errors
from pellucid.plot._model_card import points_card, rule_card
from pellucid.plot._positional import orders, roles
from pellucid.plot._probe import probe
from pellucid.plot._projection import projection, specimens
from pellucid.plot._reasons import reasons
from pellucid.plot._rule_image import rule_image
from pellucid.plot._rules import rules
from pellucid.plot._scatter import scatter
from pellucid.plot._scorecard import scorecard
from pellucid.plot._selection import selection
from pellucid.plot._show import show
from pellucid.plot._similarity import similarity
from pellucid.plot._slices import slices
from pellucid.plot._study import study
from pellucid.plot._superpixels import superpixels
from pellucid.plot._text import text
from pellucid.plot._visualization import visualization
from pellucid.plot._waterfall import waterfall

__all__ = [
    "advice",
    "agreement",
    "bar",
    "beeswarm",
    "beside",
    "changes",
    "cohorts",
    "concepts",
    "counterfactuals",
    "curve",
    "curves",
    "decision",
    "detectors",
    "difficulty",
    "disputes",
    "dissection",
    "effect",
    "error_map",
    "examples",
    "force",
    "gallery",
    "heatmap",
    "image",
    "importance",
    "influence",
    "interactions",
    "orders",
    "picture",
    "probe",
    "label_errors",
    "projection",
    "reasons",
    "roles",
    "points_card",
    "rule_card",
    "rule_image",
    "rules",
    "scatter",
    "scorecard",
    "selection",
    "show",
    "similarity",
    "slices",
    "specimens",
    "study",
    "superpixels",
    "text",
    "text_html",
    "text_terminal",
    "visualization",
    "waterfall",
]
