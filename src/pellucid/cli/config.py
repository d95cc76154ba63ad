"""A whole audit in one YAML file: its keys are the options' names, `models:` holds several models.

Every key outside `models` is the default of all of them. Paths are relative to the file. Whatever is not known, written twice, or
of another kind than expected is an error that names the key; nothing in the file is ever run.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml

from pellucid.cli.common import Source
from pellucid.cli.kinds import METHOD, Duration
from pellucid.core.errors import InputError
from pellucid.report.gate import checked


@dataclass(frozen=True)
class Order:
    """One model to audit: where it and its rows are, and how far to look."""

    source: Source
    data: Path
    name: str
    label: str | None = None
    by: str | None = None
    where: Path | None = None
    methods: tuple[Any, ...] = ()
    rows: int = 8
    background: Path | None = None
    held_out: bool | None = None
    margin: float = 0.01
    classes: tuple[str, ...] | None = None
    concepts: Path | None = None


@dataclass(frozen=True)
class Orders:
    """A whole audit: the models, the time for all of them, the folder to fill, and what makes it fail."""

    models: tuple[Order, ...] = ()
    title: str = "Audit"
    out: Path = Path("audit")
    seconds: float | None = None
    resume: bool = False
    fail_on: tuple[str, ...] = ()


def text(value: Any, base: Path) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, got {value!r}: put it in quotes" if value is not None else "it is empty")
    return value


def path(value: Any, base: Path) -> Path:
    return base / text(value, base)


def model(value: Any, base: Path) -> str:
    """A file beside the configuration, or package.module:factory."""
    spot = text(value, base)
    return spot if ":" in spot and not (base / spot).exists() else str(base / spot)


def flag(value: Any, base: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {value!r}")
    return value


def count(value: Any, base: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected a whole number from 1 on, got {value!r}")
    return value


def share(value: Any, base: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"expected a number from 0 on, got {value!r}")
    return float(value)


def texts(value: Any, base: Path) -> tuple[str, ...]:
    return tuple(text(one, base) for one in (value if isinstance(value, list) else [value]))


def named(value: Any, base: Path) -> tuple[str, ...]:
    """Names of classes, which YAML may have read as numbers."""
    if not isinstance(value, list) or not all(isinstance(one, str | int) for one in value):
        raise ValueError(f"expected a list of names, got {value!r}")
    if any(isinstance(one, bool) for one in value):
        raise ValueError("yes, no, on and off are read as true and false: put them in quotes")
    return tuple(map(str, value))


def methods(value: Any, base: Path) -> tuple[Any, ...]:
    try:
        return tuple(METHOD.convert(one, None, None) for one in texts(value, base))
    except click.UsageError as error:
        raise ValueError(error.message) from error


def time(value: Any, base: Path) -> float:
    try:
        return Duration().convert(value, None, None)
    except click.UsageError as error:
        raise ValueError(error.message) from error


def findings(value: Any, base: Path) -> tuple[str, ...]:
    return checked(texts(value, base))


@dataclass(frozen=True)
class Key:
    """What may stand in the file: how it is read, what it means, and an example."""

    read: Callable[[Any, Path], Any]
    meaning: str
    example: str
    needed: bool = field(default=False)


MODEL = {
    "model": Key(model, "a .skops file, or package.module:factory", "model.skops", needed=True),
    "data": Key(path, "rows: .csv, .tsv, .parquet, .npy or .npz", "rows.csv", needed=True),
    "label": Key(text, "the column of true answers", "kind"),
    "name": Key(text, "what the page calls the model", "credit model"),
    "by": Key(text, "a column: how well the model does in its groups, and what it goes by there", "city"),
    "where": Key(path, "masks of where the answer is known to lie: .npy, a row for each row", "masks.npy"),
    "methods": Key(methods, "instead of those that fit", '[TreeShap, "LIME(samples=500)"]'),
    "rows": Key(count, "how many rows are explained", "8"),
    "background": Key(path, "reference rows", "reference.csv"),
    "held-out": Key(flag, "whether the model was trained without these rows", "true"),
    "margin": Key(share, "how far behind the model a simple one may be and still be named first", "0.01"),
    "classes": Key(named, "names of a network's classes, in the order of its outputs", '["no", "yes"]'),
    "concepts": Key(path, "a folder: NAME.npy with examples of each concept, random.npy of anything", "concepts"),
    "trust": Key(texts, "types that a .skops file may hold besides the known ones", "[mine.Scaler]"),
    "trust-pickle": Key(flag, "open a pickle, which runs whatever code is in it", "false"),
}
WHOLE = {
    "title": Key(text, "what stands above the page", "Audit"),
    "out": Key(path, "the folder to fill", "audit"),
    "budget": Key(time, "a hard limit for all models together", "5m"),
    "resume": Key(flag, "go on from what the folder holds of an earlier run", "false"),
    "fail-on": Key(
        findings, "what makes the audit fail: exit code 3, or 4 where it could not be told", "[shortcut, unfaithful]"
    ),
}


def read(file: Path) -> dict[str, Any]:
    """What the file says, checked: its own keys, and under `models` those of each model."""
    if not file.is_file():
        raise InputError(f"there is no file {file}: `pellucid audit --show-config` prints one to begin with.")
    try:
        held = yaml.load(file.read_text(encoding="utf-8"), Loader=_Once)  # a SafeLoader: builds no objects
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name} is no YAML that can be read: {' '.join(str(error).split())}.") from error
    if not isinstance(held, dict):
        raise InputError(f"{file.name} holds no keys: `pellucid audit --show-config` prints a file to begin with.")
    base = file.parent
    found = _read({k: v for k, v in held.items() if k != "models"}, {**MODEL, **WHOLE}, base, file.name)
    listed = held.get("models", [{}])
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise InputError(f"{file.name}: models: expected a list, each with its keys (- model: ...).")
    found["models"] = [_read(one, MODEL, base, f"{file.name}: models[{i}]") for i, one in enumerate(listed)]
    return found


def _read(held: Mapping[Any, Any], known: Mapping[str, Key], base: Path, where: str) -> dict[str, Any]:
    found = {}
    for name, value in held.items():
        key = str(name).replace("_", "-")
        if key not in known:
            raise InputError(f"{where}: there is no key {str(name)!r}{_instead(key, known)}")
        try:
            found[key] = known[key].read(value, base)
        except ValueError as error:  # also our own InputError
            raise InputError(f"{where}: {name}: {error}") from error
    return found


def _instead(name: str, known: Mapping[str, Key]) -> str:
    if name in WHOLE:
        return ": it is for the whole audit, beside models."
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known)}."


class _Once(yaml.SafeLoader):
    """YAML in which no key is written twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise yaml.YAMLError(f"the key {twice[0]!r} is written twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def orders(written: Mapping[str, Any], given: Mapping[str, Any]) -> Orders:
    """Defaults, then the file, then what the command line says."""
    listed = written.get("models", [{}])
    if len(listed) > 1 and (alone := [name for name in ("model", "data") if name in given]):
        raise click.UsageError(f"--{alone[0]} is for one model, and the file has {len(listed)}: leave it out.")
    shared = {key: value for key, value in written.items() if key in MODEL}
    models = [_order({**shared, **own, **given}) for own in listed]
    names = [one.name for one in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two models are called {twice!r}: give each its own name.")
    whole = {key: value for key, value in {**written, **given}.items() if key in WHOLE}
    renamed = {"fail-on": "fail_on", "budget": "seconds"}
    return Orders(tuple(models), **{renamed.get(key, key): value for key, value in whole.items()})


def _order(settings: Mapping[str, Any]) -> Order:
    missing = next((key for key, one in MODEL.items() if one.needed and key not in settings), None)
    if missing is not None:
        raise click.UsageError(f"Missing option '--{missing}'; or audit --demo, or audit --config FILE.")
    source = Source(settings["model"], tuple(settings.get("trust", ())), settings.get("trust-pickle", False))
    kept = {
        key.replace("-", "_"): settings[key]
        for key in MODEL
        if key in settings and key not in ("model", "trust", "trust-pickle", "name")
    }
    return Order(source, name=settings.get("name") or Path(settings["model"]).name, **kept)


def shown(written: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """A file that says the same, with what could be said besides as comments; an example where nothing is said."""
    said = {**written, **given}
    lines = ["# A whole audit: pellucid audit --config audit.yaml", *_lines(WHOLE, said), ""]
    listed = written.get("models", [{}])
    if len(listed) == 1:
        return "\n".join([*lines, *_lines(MODEL, {**said, **listed[0], **given}, fill=True)]) + "\n"
    lines += _lines({key: one for key, one in MODEL.items() if key in said}, said)
    lines.append("models:")
    for own in listed:
        block = _lines({key: one for key, one in MODEL.items() if key in own and key not in given}, own)
        lines += [f"  - {block[0]}", *(f"    {line}" for line in block[1:])]
    return "\n".join(lines) + "\n"


def _lines(keys: Mapping[str, Key], said: Mapping[str, Any], fill: bool = False) -> list[str]:
    made = []
    for name, key in keys.items():
        value = _spelled(said[name]) if name in said else key.example
        sign = "" if name in said or (fill and key.needed) else "# "
        made.append(f"{f'{sign}{name}: {value}':<43} # {key.meaning}")
    return made


def _spelled(value: Any) -> str:
    """A value as YAML on one line."""
    plain = [one if isinstance(one, str) else repr(one) for one in value] if isinstance(value, tuple) else value
    plain = str(plain) if isinstance(plain, Path) else plain
    return str(yaml.safe_dump(plain, default_flow_style=True, width=10**6)).removesuffix("...\n").strip()
