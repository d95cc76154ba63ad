"""The public table `{name: module}`: the one list behind lazy imports, spellings, the store and the documentation.

Plain data, so that a name is looked up without importing what it does not need (einops, `_backends.py`, has the idea).
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from pellucid.core.errors import MissingDependency, SpellingError

VERBS = {
    "explain": "pellucid.api",
    "explain_each": "pellucid.api",
    "explain_when": "pellucid.api",
    "interact": "pellucid.api",
    "importance": "pellucid.api",
    "effect": "pellucid.api",
    "cohorts": "pellucid.api",
    "rivals": "pellucid.api",
    "distill": "pellucid.api",
    "anchor": "pellucid.api",
    "counterfactual": "pellucid.api",
    "summarize": "pellucid.api",
    "prototypes": "pellucid.api",
    "influence": "pellucid.api",
    "hardest": "pellucid.api",
    "label_errors": "pellucid.api",
    "visualize": "pellucid.api",
    "activations": "pellucid.api",
    "concepts": "pellucid.api",
    "probe": "pellucid.api",
    "similarity": "pellucid.api",
    "evaluate": "pellucid.api",
    "compare": "pellucid.api",
    "advise": "pellucid.api",
    "estimate": "pellucid.api",
    "load": "pellucid.api",
    "audit": "pellucid.report.audit",
}

METHODS = {
    "Saliency": "pellucid.methods.gradient.saliency",
    "InputXGradient": "pellucid.methods.gradient.input_x_gradient",
    "IntegratedGradients": "pellucid.methods.gradient.integrated_gradients",
    "SmoothGrad": "pellucid.methods.gradient.smooth_grad",
    "ExpectedGradients": "pellucid.methods.gradient.expected_gradients",
    "GuidedBackprop": "pellucid.methods.gradient.guided_backprop",
    "Deconvnet": "pellucid.methods.gradient.deconvnet",
    "DeepLift": "pellucid.methods.gradient.deep_lift",
    "DeepShap": "pellucid.methods.gradient.deep_shap",
    "LRP": "pellucid.methods.gradient.lrp",
    "CAM": "pellucid.methods.cam.cam",
    "GradCAM": "pellucid.methods.cam.grad_cam",
    "GradCAMPlusPlus": "pellucid.methods.cam.grad_cam_plus_plus",
    "GuidedGradCAM": "pellucid.methods.cam.guided_grad_cam",
    "HiResCAM": "pellucid.methods.cam.hires_cam",
    "LayerCAM": "pellucid.methods.cam.layer_cam",
    "ScoreCAM": "pellucid.methods.cam.score_cam",
    "AttentionRollout": "pellucid.methods.attention.attention_rollout",
    "Occlusion": "pellucid.methods.removal.occlusion",
    "RISE": "pellucid.methods.removal.rise",
    "MeaningfulPerturbation": "pellucid.methods.removal.meaningful_perturbation",
    "LIME": "pellucid.methods.removal.lime",
    "ExactShapley": "pellucid.methods.shapley.exact",
    "KernelShap": "pellucid.methods.shapley.kernel",
    "PermutationShap": "pellucid.methods.shapley.permutation",
    "PartitionShap": "pellucid.methods.shapley.partition",
    "TreeShap": "pellucid.methods.shapley.tree",
    "PermutationImportance": "pellucid.methods.effect.permutation",
    "ShapImportance": "pellucid.methods.effect.shap_importance",
    "FriedmanH": "pellucid.methods.effect.friedman_h",
    "PartialDependence": "pellucid.methods.effect.partial_dependence",
    "AccumulatedLocalEffects": "pellucid.methods.effect.accumulated_local_effects",
    "Anchors": "pellucid.methods.anchor.anchors",
    "Wachter": "pellucid.methods.counterfactual.wachter",
    "Recourse": "pellucid.methods.counterfactual.recourse",
    "CausalCounterfactual": "pellucid.methods.counterfactual.causal",
    "VariationalCounterfactual": "pellucid.methods.counterfactual.variational",
    "SEDC": "pellucid.methods.counterfactual.sedc",
    "Substitution": "pellucid.methods.counterfactual.substitution",
    "CounterfactualSummary": "pellucid.methods.example.counterfactual_summary",
    "SubmodularPick": "pellucid.methods.example.submodular_pick",
    "MMDCritic": "pellucid.methods.example.mmd_critic",
    "ProtoDash": "pellucid.methods.example.proto_dash",
    "InfluenceFunctions": "pellucid.methods.influence.influence_functions",
    "EKFAC": "pellucid.methods.influence.ekfac",
    "TracIn": "pellucid.methods.influence.trac_in",
    "GradientSimilarity": "pellucid.methods.influence.gradient_similarity",
    "SmallestMargin": "pellucid.methods.difficulty.smallest_margin",
    "Disagreement": "pellucid.methods.difficulty.disagreement",
    "FarFromPrototypes": "pellucid.methods.difficulty.far_from_prototypes",
    "LargestLoss": "pellucid.methods.label.largest_loss",
    "LeftOutLoss": "pellucid.methods.label.left_out_loss",
    "SelfInfluence": "pellucid.methods.label.self_influence",
    "Opponents": "pellucid.methods.label.opponents",
    "ActivationMaximization": "pellucid.methods.vision.activation_maximization",
    "TCAV": "pellucid.methods.concept.tcav",
    "LinearProbe": "pellucid.methods.representation.linear_probe",
    "NetworkDissection": "pellucid.methods.concept.network_dissection",
    "CKA": "pellucid.methods.representation.cka",
    "SVCCA": "pellucid.methods.representation.svcca",
}

METRICS = {
    "Deletion": "pellucid.metrics.deletion",
    "Insertion": "pellucid.metrics.insertion",
    "SufficiencyNecessity": "pellucid.metrics.sufficiency_necessity",
    "Infidelity": "pellucid.metrics.infidelity",
    "Sparsity": "pellucid.metrics.sparsity",
    "Completeness": "pellucid.metrics.completeness",
    "Stability": "pellucid.metrics.stability",
    "MaxSensitivity": "pellucid.metrics.max_sensitivity",
    "ModelRandomization": "pellucid.metrics.model_randomization",
    "DataRandomization": "pellucid.metrics.data_randomization",
    "InfluenceRemoval": "pellucid.metrics.influence_removal",
    "ErrorCalibration": "pellucid.metrics.error_calibration",
    "Latency": "pellucid.metrics.latency",
    "PointingGame": "pellucid.metrics.pointing_game",
    "Localization": "pellucid.metrics.localization",
    "Agreement": "pellucid.metrics.agreement",
    "Simulatability": "pellucid.metrics.simulatability",
}

TARGETS = {
    **dict.fromkeys(["Class", "Margin", "Predicted", "Output", "Loss", "Custom"], "pellucid.core.target"),
    **dict.fromkeys(["Token", "LogOdds", "Answer"], "pellucid.core.language"),
    "Span": "pellucid.core.span",
    **dict.fromkeys(["Between", "AnyOther"], "pellucid.core.wanted"),
}

# What a counterfactual may change.
CONSTRAINTS = dict.fromkeys(
    ["Immutable", "Actionable", "Increasing", "Decreasing", "Range", "Step", "Allowed", "OneHot"],
    "pellucid.core.constraints",
)

MASKERS = {
    **dict.fromkeys(["Columns", "Baseline", "Nonzero", "Grid"], "pellucid.core.maskers"),
    **dict.fromkeys(["Superpixels", "LabelMap"], "pellucid.models.superpixels"),
    "Conditional": "pellucid.core.conditional",
    "Groups": "pellucid.core.groups",
    **dict.fromkeys(["Words", "Phrases", "Sentences", "Tokens"], "pellucid.core.text_maskers"),
}

# Ways to cut a picture into superpixels.
SEGMENTATIONS = dict.fromkeys(["SLIC", "Quickshift", "Felzenszwalb"], "pellucid.models.superpixels")

# What absence looks like, where a name or a number does not say it.
BASELINES = {
    **dict.fromkeys(["Noise", "Together"], "pellucid.core.baseline"),
    "NoisyLinear": "pellucid.core.noisy_linear",  # of metrics alone: it depends on all that is hidden
}

RECORDS = {
    "WordEffects": "pellucid.core.word_effects",
    **dict.fromkeys(
        ["Attribution", "Interactions", "Players", "Importance"],
        "pellucid.core.records",
    ),
    **dict.fromkeys(["Curve", "Scorecard", "Comparison"], "pellucid.core.scores"),
    "Effect": "pellucid.core.effect",
    "Cohorts": "pellucid.core.cohort",
    "Rivals": "pellucid.core.rivals",
    **dict.fromkeys(["RuleCard", "PointsCard"], "pellucid.core.model_card"),
    "Fidelity": "pellucid.core.fidelity",
    "Selection": "pellucid.core.selection",
    "Advice": "pellucid.core.advice",
    "StudyResult": "pellucid.core.study",
    "PositionalBias": "pellucid.core.positional",
    **dict.fromkeys(["Rules", "Condition"], "pellucid.core.rules"),
    "Counterfactuals": "pellucid.core.counterfactuals",
    **dict.fromkeys(["ChangeSummary", "GroupRecourse"], "pellucid.core.change_summary"),
    "Examples": "pellucid.core.examples",
    "Influence": "pellucid.core.influence",
    "Difficulty": "pellucid.core.difficulty",
    "LabelErrors": "pellucid.core.label_errors",
    "Reasons": "pellucid.core.reasons",
    "Visualization": "pellucid.core.visualization",
    "ConceptScores": "pellucid.core.concept_scores",
    "ProbeResult": "pellucid.core.probe_result",
    "Similarity": "pellucid.core.similarity",
    "Unit": "pellucid.core.visualization",
    "Schema": "pellucid.core.schema",
    "Column": "pellucid.core.schema",
    **dict.fromkeys(["Budget", "Cost", "Receipt"], "pellucid.core.budget"),
    **dict.fromkeys(["Audit", "RegionTest", "ColumnTest", "GroupTest"], "pellucid.report.record"),
}

ERRORS = dict.fromkeys(
    [
        "PellucidError",
        "InputError",
        "TargetError",
        "ModelError",
        "MethodError",
        "SpellingError",
        "StoreError",
        "MissingDependency",
    ],
    "pellucid.core.errors",
)

# Which outputs are explained at all.
POLICIES = {"ExplainWhen": "pellucid.core.selection"}

# Local explanations of a corpus, gathered by word.
SUMMARIES = {"word_effects": "pellucid.core.word_effects"}

MODELS = {
    "TextModel": "pellucid.models.text",
    **dict.fromkeys(["CausalLM", "Replies"], "pellucid.models.language"),
    "ProtoPNet": "pellucid.models.proto_p_net",
    "ProtoTraining": "pellucid.models.proto_training",
}

# Ways of LRP through a linear layer.
RULES = dict.fromkeys(
    ["Epsilon", "Gamma", "AlphaBeta", "ZPlus", "WSquare", "Flat", "ZBox"], "pellucid.models.rewire.recipes"
)

# Which features LIME's surrogate keeps.
SELECTIONS = dict.fromkeys(["HighestWeights", "ForwardSelection", "LassoPath"], "pellucid.methods.removal.lime_select")

# How alike two rows are.
KERNELS = dict.fromkeys(["RBF", "Precomputed"], "pellucid.methods.example.kernels")

# What a network was trained on, how a Hessian is inverted, and states kept during training.
LOSSES = dict.fromkeys(["CrossEntropy", "SquaredError"], "pellucid.models.training.losses")
SOLVERS = dict.fromkeys(["Exact", "ConjugateGradients", "LiSSA"], "pellucid.methods.influence.solvers")
TRAINING = {"Checkpoints": "pellucid.models.training.checkpoints"}

# Classifiers that can be read, with the contract of scikit-learn.
ESTIMATORS = {
    "RuleList": "pellucid.methods.glassbox.rule_list",
    "DecisionSet": "pellucid.methods.glassbox.decision_set",
    "ScoringSystem": "pellucid.methods.glassbox.scoring_system",
}

# One page on a model that can be read.
CARDS = {
    "model_card": "pellucid.methods.glassbox.reading",
    "card_page": "pellucid.report.card_page",
}

# Labels that a person looks at, and what was decided.
LABELS = {"relabel_page": "pellucid.report.relabel", "relabel": "pellucid.core.relabelling"}

PUBLIC: dict[str, str] = {
    **VERBS,
    **METHODS,
    **METRICS,
    **TARGETS,
    **MASKERS,
    **CONSTRAINTS,
    **RECORDS,
    **ERRORS,
    **MODELS,
    **POLICIES,
    **SUMMARIES,
    **RULES,
    **BASELINES,
    **SELECTIONS,
    **SEGMENTATIONS,
    **KERNELS,
    **LOSSES,
    **SOLVERS,
    **TRAINING,
    **ESTIMATORS,
    **CARDS,
    **LABELS,
}

# Which extra of the package brings an optional framework.
EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "skimage": "vision",
    "transformers": "text",
    "polars": "dev",
    "monai": "medical",
    "pydicom": "medical",
    "defusedxml": "medical",
    "nibabel": "medical",
    "pyarrow": "medical",
}


def resolve(name: str) -> Any:
    """The public object of this name, importing its module on first use."""
    if name not in PUBLIC:
        near = difflib.get_close_matches(name, PUBLIC, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SpellingError(f"{name!r} is not a public name of pellucid.{hint} `pellucid methods` lists the methods.")
    return getattr(importlib.import_module(PUBLIC[name]), name)


def need(module: str, who: str) -> Any:
    """Import an optional framework, or say who needs it and how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = EXTRAS.get(module.partition(".")[0], "all")
        raise MissingDependency(f"{who} needs {module}: pip install 'pellucid[{extra}]'") from error
