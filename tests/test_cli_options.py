"""Options made of fields: what is typed on the command line is the value that the spelling gives."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cli.fields import FieldType, about, described, field_options
from pellucid.cli.kinds import METHOD, Duration, RowPicks, TargetType
from pellucid.cli.options import MethodCommand
from pellucid.core.baseline import BaselineLike
from pellucid.core.errors import MethodError
from pellucid.core.registry import METHODS, resolve
from pellucid.core.spelling import parse, spell
from pellucid.methods.removal.lime import LIME
from pellucid.methods.removal.occlusion import Occlusion


@dataclass(frozen=True)
class Probe:
    """`size` of the thing; `rate` is how fast. `method` is tried inside."""

    size: int | None = None
    rate: float = 0.5
    kind: Literal["soft", "hard"] = "soft"
    window: int | tuple[int, ...] | None = None
    start: str | float | tuple[float, ...] | None = None
    paired: bool = False
    method: Any = Occlusion()

    card: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise MethodError(f"Probe(rate={self.rate!r}): expected a positive number.")


@pytest.fixture
def probing(monkeypatch: pytest.MonkeyPatch):
    """A command that answers with the method it was given; `--method Probe` gives a Probe."""
    from pellucid.core import registry

    monkeypatch.setitem(registry.METHODS, "Probe", __name__)
    monkeypatch.setitem(registry.PUBLIC, "Probe", __name__)

    @click.command(cls=MethodCommand)
    @click.option("--method", type=METHOD)
    @click.option("--seed-file")
    def command(method: Any, seed_file: str | None) -> None:
        click.echo(repr(method))

    return lambda *args: CliRunner().invoke(command, args)


@pytest.mark.parametrize(
    ("args", "spelled"),
    [
        (["--method", "Probe"], "Probe()"),
        (["--method", "Probe", "--size", "3"], "Probe(size=3)"),
        (["--size", "3", "--method", "Probe"], "Probe(size=3)"),
        (["--method=Probe", "--size=3"], "Probe(size=3)"),
        (["--method", "Probe(size=3)", "--size", "none"], "Probe()"),
        (["--method", "Probe(size=3, rate=2)", "--size", "4"], "Probe(size=4, rate=2)"),
        (["--method", "Probe", "--rate", "2"], "Probe(rate=2.0)"),
        (["--method", "Probe", "--kind", "hard"], "Probe(kind='hard')"),
        (["--method", "Probe", "--window", "4"], "Probe(window=4)"),
        (["--method", "Probe", "--window", "4,2"], "Probe(window=(4, 2))"),
        (["--method", "Probe", "--window", "(4, 2)"], "Probe(window=(4, 2))"),
        (["--method", "Probe", "--start", "zeros"], "Probe(start='zeros')"),
        (["--method", "Probe", "--start", "-0.5"], "Probe(start=-0.5)"),
        (["--method", "Probe", "--start", "1, 2.5"], "Probe(start=(1, 2.5))"),
        (["--method", "Probe", "--start", "LIME"], "Probe(start='LIME')"),
        (["--method", "Probe", "--paired"], "Probe(paired=True)"),
        (["--method", "Probe(paired=True)", "--no-paired"], "Probe(paired=False)"),
        (["--method", "Probe(paired=True)"], "Probe(paired=True)"),
        (["--method", "Probe", "--method-method", "LIME(samples=7)"], "Probe(method=LIME(samples=7))"),
    ],
)
def test_fields_as_options_are_the_spelled_value(probing, args: list[str], spelled: str):
    result = probing(*args)
    assert result.exit_code == 0, result.output
    assert parse(result.stdout) == parse(spelled)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--method", "Probe", "--size", "3.5"], "expected: integer or none"),
        (["--method", "Probe", "--kind", "medium"], "expected: soft|hard"),
        (["--method", "Probe", "--rate", "-1"], "expected a positive number"),
        (["--method", "Probe(rate=-1)"], "expected a positive number"),
        (["--method", "Probe", "--method-method", "LIM"], "Did you mean 'LIME'"),
        (["--method", "lime"], "Did you mean 'LIME'?"),
        (["--method", "Kernelshap"], "Did you mean 'KernelShap'?"),
        (["--method", "LIMe(samples=3)"], "Did you mean 'LIME'?"),
        (["--method", "Zzz"], "there is no method 'Zzz'. There are Saliency,"),
        (["--method", "Deletion"], "there is no method 'Deletion'"),
        (["--method", "LIME(sample=3)"], "its fields are samples"),
        (["--method", "LIME(", "--seed", "1"], "cannot read 'LIME('"),
        (["--method", "LIME(samples=__import__('os').getpid())"], "neither a literal nor a public name"),
        (["--size", "3"], "No such option '--size'"),
        (["--method", "LIME", "--size", "3"], "No such option '--size'"),
        (["--method"], "requires an argument"),
    ],
)
def test_a_wrong_value_is_a_usage_error(probing, args: list[str], said: str):
    result = probing(*args)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.stderr.split())


def test_what_follows_two_dashes_is_no_option(probing):
    result = probing("--", "--method", "Nobody")
    assert result.exit_code == 2 and "unexpected extra arguments" in result.stderr


def test_help_lists_the_fields_of_the_method_with_meaning_and_default(probing):
    text = " ".join(probing("--method", "Probe(size=3)", "--help").stdout.split())
    assert "Options of Probe:" in text
    assert "of the thing [default: 3]" in text
    assert "how fast [default: 0.5]" in text
    assert "--paired / --no-paired" in text
    assert "Options of" not in probing("--help").stdout


@pytest.mark.parametrize("name", METHODS)
def test_every_method_becomes_options_whose_defaults_are_its_own(name: str):
    method = resolve(name)()
    options = field_options(method, {"--method", "--target"})
    assert [option.name for option in options] == [f"field_{field.name}" for field in dataclasses.fields(method)]
    for option, field in zip(options, dataclasses.fields(method), strict=True):
        default = getattr(method, field.name)
        assert f"[default: {spell(default)}]" in option.help
        typed = default if isinstance(default, str) else spell(default)
        assert option.type.convert(typed, option, None) == default


def test_a_whole_number_stays_whole_where_both_kinds_fit():
    assert isinstance(FieldType(float | int).convert("3", None, None), int)
    assert isinstance(FieldType(float | int).convert("3.0", None, None), float)


@pytest.mark.parametrize(
    "text",
    ["Noise(draws=5, seed=1)", "Together(('zeros', 'blur'))", "Together((Noise(draws=2), 0.5))", "(0.5, 1.0)"],
)
def test_a_baseline_is_typed_as_it_is_spelled(text: str):
    assert FieldType(BaselineLike).convert(text, None, None) == parse(text)


@given(st.integers() | st.none())
def test_integers_are_read_back(value: int | None):
    assert FieldType(int | None).convert(str(value), None, None) == value


@given(st.floats(allow_nan=False) | st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_and_lists_are_read_back(value: Any):
    assert FieldType(str | float | tuple[float, ...] | None).convert(repr(value), None, None) == value


@given(st.text())
def test_any_text_is_a_text(text: str):
    assert FieldType(str).convert(text, None, None) == text


def test_annotations_are_described_in_words():
    assert described(int | None) == "integer or none"
    assert described(Literal["a", "b"]) == "a|b"
    assert described(str | float | tuple[float, ...] | None) == "text or number or list or none"


def test_a_docstring_says_what_a_field_is():
    assert about(Probe, "size") == "of the thing"
    assert about(Probe, "rate") == "how fast"
    assert about(Probe, "kind") == ""
    assert about(Occlusion, "window").startswith("window and stride in cells")
    assert about(LIME, "samples")


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("60s", 60), ("2m", 120), ("1.5h", 5400), (".5 s", 0.5), ("3 min", 180)]
)
def test_durations(text: str, seconds: float):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["0", "-3", "", "s", "3 days", "1e9", "inf", "nan"])
def test_no_duration(text: str):
    with pytest.raises(click.BadParameter, match="no length of time"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "target"),
    [("3", 3), ("-1", -1), ("malignant", "malignant"), ("a (b)", "a (b)"), ("Margin(0, 1)", None), ("Predicted", None)],
)
def test_targets(text: str, target: Any):
    assert TargetType().convert(text, None, None) == (parse(text) if target is None else target)


@pytest.mark.parametrize(
    ("text", "picks"),
    [("3", (3,)), ("0:5", (slice(0, 5),)), ("0, 2,7", (0, 2, 7)), ("-3:", (slice(-3, None),)), (":", (slice(None),))],
)
def test_row_picks(text: str, picks: tuple[int | slice, ...]):
    assert RowPicks().convert(text, None, None) == picks


@pytest.mark.parametrize("text", ["", "a", "1:2:3", "1,,2", "1.5", "0:5;"])
def test_no_row_picks(text: str):
    with pytest.raises(click.BadParameter, match="picks no rows"):
        RowPicks().convert(text, None, None)
