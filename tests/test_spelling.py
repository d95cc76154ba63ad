"""Values and their texts: the parser reads what repr writes, and nothing else."""

import pytest

import pellucid as pc
from pellucid.core.spelling import parse, spell

VALUES = [
    pc.Saliency(),
    pc.Saliency(absolute=True),
    pc.IntegratedGradients(steps=8, baseline=-0.5),
    pc.IntegratedGradients(baseline=(0.5, 0.0, -2.0)),
    pc.GradCAM(layer="features.3"),
    pc.Occlusion(window=(2, 3), stride=1, baseline="blur"),
    pc.Grid(window=4),
    pc.Class(3, scale="probability"),
    pc.Class((1, 2)),
    pc.Class("setosa"),
    pc.Margin("a", "b"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_spelled_is_read_back(value: object):
    assert parse(spell(value)) == value


def test_a_bare_name_is_the_default_value():
    assert parse("Saliency") == pc.Saliency()
    assert parse(" IntegratedGradients( 8 ) ") == pc.IntegratedGradients(steps=8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Salency", "Did you mean 'Saliency'"),
        ("Saliency(sharp=1)", "no field 'sharp'.*absolute"),
        ("__import__('os').system('true')", "neither a literal nor a public name"),
        ("().__class__", "neither a literal"),
        ("explain(1)", "not a value with fields"),
        ("Saliency(**{'absolute': True})", r"'\*\*'"),
        ("Saliency(", "cannot read"),
        ("IntegratedGradients(1, 2, 3)", "cannot build"),
        ("IntegratedGradients(steps=1+1)", "neither a literal"),
        ("[x for x in (1,)]", "neither a literal"),
    ],
)
def test_anything_else_is_refused(text: str, says: str):
    with pytest.raises(pc.SpellingError, match=says):
        parse(text)


def test_fields_out_of_range_are_refused_by_the_method():
    with pytest.raises(pc.MethodError, match="steps=0"):
        parse("IntegratedGradients(steps=0)")
    with pytest.raises(pc.MethodError, match="baseline 'dark' is unknown"):
        parse("Occlusion(baseline='dark')")
