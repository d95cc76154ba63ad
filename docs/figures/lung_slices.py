"""The picture of docs/lung_ct.md: methods by planes over whole slices of a synthetic chest, by a network that learned on others.

python docs/figures/lung_slices.py FOLDER        a folder for the phantom, the network and the maps; goes on if begun
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pellucid.studies import lung_ct

PATIENTS, OUT = 24, Path(__file__).parent.parent / "images" / "lung_slices.png"


def main(folder: Path) -> None:
    key = lung_ct.Pseudonyms(bytes(32))
    if not (folder / "phantom" / "phantom.json").exists():
        lung_ct.write_phantom(folder / "phantom", PATIENTS)
    data = folder / "phantom" / "dicom"
    lung_ct.prepare(data, folder / "phantom" / "xml", folder / "patches", lung_ct.Recipe(size=32), key)
    lung_ct.train(folder / "patches", folder / "network", lung_ct.phantom_plan(), device="cpu")
    found = lung_ct.evaluate(folder / "network", folder / "patches", folder / "results", device="cpu")
    print("\n".join(found.lines() if found else []))
    lung_ct.visualise(
        folder / "network", folder / "patches", folder / "seen", data=data, pseudonyms=key, most=4, device="cpu"
    )
    shutil.copy(min((folder / "seen" / "context").iterdir()), OUT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
