"""The public table: every name loads, nothing loads early, and a missing framework says how to get it."""

import importlib
import subprocess
import sys

import pytest

import pellucid as pc
from pellucid.core import method, registry

# What `explain` takes.
_NEEDS = ("Gradient", "Layer", "Attention", "Game", "Sampling", "Masking", "Tree")
KINDS = tuple(getattr(method, f"{kind}Method") for kind in _NEEDS)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", registry.PUBLIC)
def test_every_public_name_is_there_with_a_docstring(name: str):
    assert getattr(pc, name) is getattr(importlib.import_module(registry.PUBLIC[name]), name)
    assert getattr(pc, name).__doc__


def test_the_promised_names_are_public():
    promised = (
        "explain importance evaluate compare estimate load audit Saliency InputXGradient IntegratedGradients GradCAM "
        "Occlusion LIME KernelShap ExactShapley PermutationImportance Deletion Insertion Stability Completeness "
        "ModelRandomization Agreement Class Margin Predicted Output Columns Baseline Grid Attribution Importance Curve "
        "Scorecard Comparison Audit Budget Cost Receipt plot"
    )
    assert set(promised.split()) <= set(pc.__all__) <= set(dir(pc))


@pytest.mark.parametrize("name", registry.METHODS)
def test_every_card_says_who_asks_for_the_method_and_what_it_costs(name: str):
    card = getattr(pc, name).card
    assert card.verb in registry.VERBS, f"{name}: card.verb names the verb that takes it"
    explained = issubclass(getattr(pc, name), KINDS)
    assert (card.verb == "explain") == explained, f"{name}: say verb= on its card, the verb that takes it"
    assert card.rows in (0, 1, 10, 100, 1000), f"{name}: say rows= on its card, model rows a row to a power of ten"


def test_importing_loads_no_framework():
    heavy = "torch sklearn pandas matplotlib numba scipy transformers skimage"
    code = f"import sys, pellucid; print(*[m for m in '{heavy}'.split() if m in sys.modules])"
    assert run(code) == ""


def test_explaining_a_function_loads_no_torch():
    code = (
        "import sys, numpy as np, pellucid as pc; "
        "pc.explain(lambda x: x.sum(1), np.ones((1, 2)), pc.Occlusion(baseline=0.0)); print('torch' in sys.modules)"
    )
    assert run(code) == "False"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Explain'"):
        pc.Explain  # noqa: B018


def test_a_missing_framework_is_named_with_its_extra():
    with pytest.raises(pc.MissingDependency, match=r"GradCAM needs torch_: pip install 'pellucid\[all\]'"):
        registry.need("torch_", "GradCAM")
    code = (
        "import sys; sys.modules['torch'] = None; import pellucid.core.registry as r\n"
        "try: r.need('torch', 'GradCAM')\nexcept ImportError as e: print(e)"
    )
    assert run(code) == "GradCAM needs torch: pip install 'pellucid[torch]'"
