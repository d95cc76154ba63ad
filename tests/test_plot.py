"""What all plots keep: axes back, nothing global touched, nothing clipped, small type, sign without colour."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import pellucid as pc
import plot_records as made
from pellucid.core.budget import Receipt
from pellucid.core.errors import InputError
from pellucid.core.records import Record
from pellucid.core.target import Class, Custom, Margin, Output
from pellucid.plot import _labels, _style

PLOTS = {
    "bar": lambda ax=None: pc.plot.bar(made.table(), 0, ax=ax),
    "bar of windows": lambda ax=None: pc.plot.bar(made.windows(), ax=ax),
    "bar with a gap": lambda ax=None: pc.plot.bar(made.table(gap=np.full(7, 0.3)), ax=ax),
    "bar of one value": lambda ax=None: pc.plot.bar(made.table(), 2, k=1, ax=ax),
    "waterfall": lambda ax=None: pc.plot.waterfall(made.table(), 1, ax=ax),
    "force": lambda ax=None: pc.plot.force(made.table(), 1, ax=ax),
    "beeswarm": lambda ax=None: pc.plot.beeswarm(made.table(), ax=ax),
    "scatter": lambda ax=None: pc.plot.scatter(made.table(), "age", by="debt", ax=ax),
    "scatter of levels": lambda ax=None: pc.plot.scatter(made.table(), "sex", ax=ax),
    "heatmap": lambda ax=None: pc.plot.heatmap(made.table(), ax=ax),
    "decision": lambda ax=None: pc.plot.decision(made.table(), ax=ax),
    "image": lambda ax=None: pc.plot.image(made.digits(), ax=ax),
    "tall image": lambda ax=None: pc.plot.image(
        made.attribution(np.eye(20)[None, :, :8], np.ones((1, 20, 8)), "map"), ax=ax
    ),
    "wide image": lambda ax=None: pc.plot.image(
        made.attribution(np.eye(90)[None, :9], np.ones((1, 9, 90)), "map"), ax=ax
    ),
    "degenerate image": lambda ax=None: pc.plot.image(
        made.attribution(np.ones((1, 4, 4)), np.ones((1, 4, 4)), "map"), ax=ax
    ),
    "picture": lambda ax=None: pc.plot.picture(made.digits(), ax=ax),
    "superpixels": lambda ax=None: pc.plot.superpixels(made.superpixels(), ax=ax),
    "superpixels of both signs": lambda ax=None: pc.plot.superpixels(
        made.superpixels(), ax=ax, positive_only=False, hide_rest=True
    ),
    "signal": lambda ax=None: pc.plot.image(made.signal(), ax=ax),
    "volume": lambda ax=None: pc.plot.image(made.volume(), ax=ax),
    "slices of a patient": lambda ax=None: pc.plot.slices(
        made.volume(), ax=ax, affine=np.diag([2.5, 1.0, 1.0, 1.0])[[2, 1, 0, 3]], scale="unit"
    ),
    "text": lambda ax=None: pc.plot.text(made.tokens(), ax=ax),
    "importance": lambda ax=None: pc.plot.importance(made.importance(), ax=ax),
    "interactions": lambda ax=None: pc.plot.interactions(made.interactions(), ax=ax),
    "interactions of a row": lambda ax=None: pc.plot.interactions(made.interactions(), 1, 4, ax=ax),
    "curve": lambda ax=None: pc.plot.curve(made.area(), ax=ax),
    "curve without a curve": lambda ax=None: pc.plot.curve(made.dots(), ax=ax),
    "curves": lambda ax=None: pc.plot.curves({"IntegratedGradients": made.area(), "GradCAM": made.area(seed=1)}, ax=ax),
    "agreement": lambda ax=None: pc.plot.agreement(made.comparison(), ax=ax),
    "scorecard": lambda ax=None: pc.plot.scorecard(made.card(), ax=ax),
}
QUICK = ("bar", "image", "text", "scorecard", "agreement")  # rendered by every run, the rest by the slow one
each = pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS)


def settings() -> dict:
    return {name: value for name, value in matplotlib.rcParams.items() if name != "backend"}


@each
def test_a_plot_makes_its_own_figure_and_leaves_nothing_behind(draw):
    import matplotlib.pyplot as plt

    before = settings()
    ax = draw()
    assert isinstance(ax, Axes) and isinstance(ax.figure, Figure)
    assert settings() == before
    assert plt.get_fignums() == []
    assert ax.figure.get_size_inches()[0] <= 6.0  # a column of 600 pixels
    assert ax.figure.get_layout_engine() is not None


@pytest.mark.parametrize(
    "draw",
    [pytest.param(draw, id=name, marks=[] if name in QUICK else pytest.mark.slow) for name, draw in PLOTS.items()],
)
def test_nothing_is_clipped_and_type_is_readable(draw):
    ax = draw()
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    width, height = ax.figure.bbox.size
    box = ax.figure.get_tightbbox(canvas.get_renderer()).transformed(ax.figure.dpi_scale_trans)
    assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
    sizes = {text.get_fontsize() for text in ax.figure.findobj(Text) if text.get_text() and text.get_visible()}
    assert sizes <= {_style.SMALL, _style.SIZE}


@pytest.mark.parametrize("name", ["bar", "image", "text", "beeswarm", "curve"])
def test_a_plot_goes_into_the_callers_axes(name):
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert PLOTS[name](ax=right) is right
    assert not left.has_data()
    FigureCanvasAgg(figure).draw()


def test_a_plot_goes_into_axes_without_a_layout():
    figure = Figure()
    ax = figure.add_axes((0.3, 0.3, 0.5, 0.5))
    assert PLOTS["image"](ax=ax) is ax
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 2  # the colour bar took its room from the axes


def test_a_notebook_shows_a_plot():
    assert PLOTS["bar"]()._repr_png_().startswith(b"\x89PNG")


def test_drawing_needs_no_pyplot_and_importing_no_matplotlib():
    code = (
        "import sys, pellucid as pc; assert 'matplotlib' not in sys.modules\n"
        "import numpy as np\n"
        "a = pc.Attribution.from_arrays(np.eye(3), data=np.eye(3), target=1)\n"
        "pc.plot.show(a, row=0).figure.savefig(__import__('io').BytesIO(), format='svg')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("record", "row", "part"),
    [
        (made.table(), None, "7 rows"),
        (made.table(), 3, "row 3"),
        (made.table(1), None, "KernelShap · class 1 (probability)"),
        (made.digits(), 1, "row 1"),
        (made.tokens(), 0, "row 0"),
        (made.importance(), None, "PermutationImportance · accuracy"),
        (made.area(), None, "Deletion · lower is better"),
        (made.dots(), None, "Stability · higher is better"),
        (made.card(), None, "GradCAM · each metric against chance"),
        (made.comparison(), 1, "rank correlation, row 1"),
    ],
)
def test_show_chooses_by_record_and_layout(record, row, part):
    assert part in pc.plot.show(record, row).get_title(loc="left").replace("\u00a0", " ")


def test_show_takes_the_callers_axes_and_refuses_what_it_does_not_know():
    ax = Figure().subplots()
    assert pc.plot.show(made.table(), 0, ax) is ax
    with pytest.raises(InputError, match=r"no usual plot of a Record: give one of .*Attribution, .*Comparison"):
        pc.plot.show(Record(receipt=Receipt(method="")))


def test_red_and_blue_are_equally_strong():
    def contrast(colour: str) -> float:
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)

    red, blue = contrast(_style.RED), contrast(_style.BLUE)
    assert min(red, blue) > 4.5
    assert abs(red / blue - 1) < 0.05


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="…"), max_size=200), st.integers(5, 40))
@example("costs $5 or $6", 30)
@example("mean concave points of the left side", 21)
def test_a_name_is_shortened_in_the_middle_and_is_never_mathematics(name, longest):
    safe = _labels.shorten(name, longest)
    short, line = safe.replace(r"\$", "$"), " ".join(name.split())
    assert matplotlib.cbook.is_math_text(safe) is False
    assert len(short) <= longest
    head, dots, tail = short.partition("…")
    assert bool(dots) == (len(line) > longest)
    assert line.startswith(head) and line.endswith(tail)
    assert not dots or abs(len(head) - len(tail)) <= 2 or " " in line


def test_long_titles_wrap_inside_the_figure():
    record = made.table(2, target=Margin("a class with a long name", "another class with a long name"))
    figure = Figure(figsize=(3.4, 3), layout="constrained")
    ax = pc.plot.bar(record, 1, ax=figure.subplots())
    FigureCanvasAgg(figure).draw()
    heading = ax.get_title(loc="left")
    assert heading.count("\n") >= 2 and heading.endswith("row\u00a01")
    assert ax._left_title.get_window_extent().x1 < figure.bbox.x1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (23.57, "23.6"),
        (2019.0, "2019"),
        (-0.000123, "−0.000123"),
        (1234.56, "1235"),
        (5e7, "5e+07"),
        (float("nan"), "missing"),
    ],
)
def test_numbers_read_as_a_person_writes_them(value, words):
    assert _labels.number(value) == words


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Class((2, 0)), "class 0 (probability)"),
        (Margin(1, (3, 4)), "class 1 rather than 4 (probability)"),
        (Output(0), "output 0 (probability)"),
        (Custom(len), "a function of the output (probability)"),
        (None, ""),
    ],
)
def test_the_title_says_what_is_explained(target, words):
    assert _labels.target_name(made.table(2, target=target), 1) == words


@pytest.mark.parametrize("draw", [pc.plot.bar, pc.plot.waterfall, pc.plot.force])
def test_a_row_that_is_not_there_is_refused(draw):
    with pytest.raises(InputError, match="row 7 of a record that has 7 rows"):
        draw(made.table(), 7)
