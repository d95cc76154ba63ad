"""What every test shares: one thread, no screen, repeatable property tests, and the folder of real data."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read once, when NumPy and torch load
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

if find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests on real data, with a sentence, where there is none."""
    if os.environ.get("PELLUCID_DATA"):
        return
    skip = pytest.mark.skip(reason="needs real data: set PELLUCID_DATA to the folder that holds it")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; only for tests marked `realdata`."""
    value = os.environ.get("PELLUCID_DATA")
    if not value:
        pytest.skip("needs real data: set PELLUCID_DATA to the folder that holds it")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"PELLUCID_DATA names {value!r}, which is not a folder")
    return folder


@pytest.fixture(scope="session")
def mnist(data_dir: Path):
    """The 10,000 test images (n, 28, 28) in [0, 255] and their digits (n,)."""
    import gzip

    import numpy as np

    images = np.frombuffer(
        gzip.decompress((data_dir / "mnist/t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = np.frombuffer(
        gzip.decompress((data_dir / "mnist/t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8
    )
    return images.reshape(-1, 28, 28).astype(float), labels.astype(int)


@pytest.fixture(autouse=True)
def _close_figures():
    """No figure outlives its test."""
    yield
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser():
    """A real browser without a window; skips where there is none."""
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'pellucid[dev]'")
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs a browser: one of {', '.join(BROWSERS)}")
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
