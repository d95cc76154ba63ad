"""The figure of the kernel's width measures what its page says."""

import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_too_narrow_is_unstable_and_too_wide_unfaithful(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("kernel_width", DOCS / "figures" / "kernel_width.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kernel_width", script)  # dataclasses look their module up
    spec.loader.exec_module(script)
    for name, value in {"WIDTHS": (0.1, 0.75, 3.0), "ROWS": 4, "SEEDS": 6}.items():
        monkeypatch.setattr(script, name, value)
    narrow, usual, wide = script.measure()
    assert narrow.spread > 3 * usual.spread and narrow.effective < 10 < usual.effective < wide.effective
    assert narrow.error < usual.error < wide.error and usual.r2_near > wide.r2_near
    for one in (narrow, usual, wide):
        assert 0.5 < one.stated / one.spread < 2  # one record knows what other seeds would give
    page = (DOCS / "kernel_width.md").read_text(encoding="utf-8")
    assert script.table([narrow]).splitlines()[0] in page and page.count("\n| ") == 1 + 7
    script.draw([narrow, usual, wide], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000 and (DOCS / "images" / "kernel_width.png").is_file()
