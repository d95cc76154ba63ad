"""Vetting before deployment: the numbers of `vetting.md`. `python docs/reasons/vetting.py` prints them, in some seconds.

Two candidates on the breast-cancer measurements. One was also given `biopsy`, a code that is written down after the diagnosis.
Both go through the same gate, as continuous integration would send them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from click.testing import CliRunner
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from pellucid.cli.app import app

CONFIG = """\
title: Candidates
data: held_out.csv
label: diagnosis
held-out: true
methods: [TreeShap]
rows: 3
fail-on: [shortcut, no-skill, unstable]
"""


def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and held-out ones, with the code and the diagnosis as columns."""
    data = load_breast_cancer(as_frame=True)
    y = np.asarray(data.target_names)[data.target.to_numpy()]
    rng = np.random.default_rng(0)
    code = np.where(y == "malignant", rng.integers(20, 40, len(y)), rng.integers(0, 20, len(y)))
    whole = data.data.assign(biopsy=code, diagnosis=y)
    train, held = train_test_split(whole, test_size=0.5, stratify=y, random_state=0)
    return train, held


def fill(folder: Path) -> None:
    """What a project would hold: two models, held-out rows, and the gate."""
    train, held = rows()
    held.to_csv(folder / "held_out.csv", index=False)
    for name, left_out in (("with_code", ["diagnosis"]), ("without_code", ["diagnosis", "biopsy"])):
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
        skops.io.dump(model.fit(train.drop(columns=left_out), train["diagnosis"]), folder / f"{name}.skops")
    (folder / "audit.yaml").write_text(CONFIG, encoding="utf-8")


def vetted(folder: Path, name: str) -> tuple[int, dict[str, Any]]:
    """The exit code of the gate for one candidate, and what it wrote."""
    args = [
        "audit",
        "--config",
        str(folder / "audit.yaml"),
        "--model",
        str(folder / f"{name}.skops"),
        "--out",
        str(folder / name),
    ]
    ended = CliRunner().invoke(app, args)  # as `pellucid audit ...` ends
    return ended.exit_code, json.loads((folder / name / "audit.json").read_text(encoding="utf-8"))


def main() -> None:
    """Print what the page states."""
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place))
        for name in ("with_code", "without_code"):
            code, found = vetted(Path(place), name)
            (model,) = found["models"]
            print(f"{name}: right {model['performance']['right']:.3f}, exit code {code}")
            for one in found["gate"]["found"]:
                print(f"  {one['finding']}: {one['headline']}")
            shares = sorted(model["columns_alone"], key=lambda column: -column["share"])[:2]
            print("  ", [(one["column"], round(one["share"], 2)) for one in shares])


if __name__ == "__main__":
    main()
