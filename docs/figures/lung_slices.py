"""The picture of docs/lung_ct.md: methods by planes over whole slices of a synthetic chest, by a network that learned on others.

python docs/figures/lung_slices.py FOLDER        a folder for the phantom, the patches and the network; goes on if begun
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pellucid as pc
from pellucid.studies import lung_ct

PATIENTS, OUT = 24, Path(__file__).parent.parent / "images" / "lung_slices.png"


def main(folder: Path) -> None:
    recipe, key = lung_ct.Recipe(size=32), lung_ct.Pseudonyms(bytes(32))
    if not (folder / "phantom" / "phantom.json").exists():
        lung_ct.write_phantom(folder / "phantom", PATIENTS)
    data, patches = folder / "phantom" / "dicom", folder / "patches"
    lung_ct.prepare(data, folder / "phantom" / "xml", patches, recipe, key)
    lung_ct.train(patches, folder / "network", lung_ct.phantom_plan(), device="cpu")
    network, _ = lung_ct.load_network(folder / "network")
    rows = lung_ct.read_index(patches, "test").query("label == 1")
    said = lung_ct.predict(network, lung_ct.load(patches, rows["name"]), "cpu")
    row = rows.iloc[said.argmax()]  # the surest nodule of the test patients
    x, place = lung_ct.load(patches, [row["name"]]), lung_ct.place_of(patches, row)
    methods = lung_ct.figure_methods(recipe.size, lung_ct.map_layer(network, recipe.size))
    made = {one.name: pc.explain(network, x, one.method, target=1) for one in methods}
    maps = {name: dataclasses.replace(record, affine=place.own) for name, record in made.items()}
    words = f"the surest nodule of the test patients, probability {said.max():.2f}; the box is the patch"
    for _, hu in lung_ct.contexts(patches, data, key, [place], lung_ct.Tally()):
        sheet = lung_ct.figure(maps, place, hu, recipe.window, words)
        sheet.savefig(OUT, dpi=100, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
