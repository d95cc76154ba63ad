"""A model from what a user writes after `--model`: a file of scikit-learn's kind, or an object of a Python module.

A pickle can run any code when it is opened, so `.pkl` and `.joblib` are refused until `--trust-pickle` says that the
file's author is trusted. A `.skops` file names the types it holds; those known to be harmless are allowed, others by
`--trust TYPE`. A folder that transformers wrote is a language model or a classifier of texts. Anything else that Python can
build comes as `package.module:factory`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import pickle
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pellucid.core.errors import ModelError
from pellucid.core.registry import need

# Types that scikit-learn's own models are made of and that run no code of the file's author; skops leaves them to us.
HARMLESS = frozenset(
    {
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
ACCEPTED = (
    "a .skops file, package.module:factory (or package.module:object), a folder of a transformers model, or, with "
    "--trust-pickle, a .pkl or .joblib file"
)
_SPOT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")  # package.module:name.name


def load_model(
    given: str, *, trusted: Sequence[str] = (), trust_pickle: bool = False, system: str | None = None
) -> Any:
    """The model that `given` names, or an error that says what to give instead."""
    if given and (Path(given) / "config.json").is_file():
        from pellucid.models.loading import from_folder

        return from_folder(given, system)
    if system is not None:
        raise ModelError("--system is the system's message to a language model: give --model a folder of one.")
    if _SPOT.fullmatch(given) and not Path(given).exists():
        return from_module(given)
    path = Path(given)
    suffix = path.suffix.lower()
    if suffix not in (".skops", ".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        raise ModelError(f"--model {given!r} is not a model that can be opened: give {ACCEPTED}.")
    if not path.is_file():
        raise ModelError(f"--model {given!r}: there is no such file.")
    if suffix in (".pt", ".pth"):
        raise ModelError(
            f"{path.name} can only be opened safely as a dictionary of weights, which is no network: write a function "
            "that builds the network and loads them (torch.load(..., weights_only=True)) and give --model package.module:factory."
        )
    return from_skops(path, trusted) if suffix == ".skops" else from_pickle(path, trust_pickle)


def from_skops(path: Path, trusted: Sequence[str] = ()) -> Any:
    """The model in a `.skops` file, if it holds only types that are harmless or trusted by the user."""
    skops = need("skops.io", f"the model file {path.name}")
    try:
        held = skops.get_untrusted_types(file=path)
    except Exception as error:
        raise ModelError(f"{path.name} is not a .skops file ({_said(error)}): write one with skops.io.dump.") from error
    unknown = sorted(set(held) - HARMLESS - set(trusted))
    if unknown:
        raise ModelError(
            f"{path.name} holds types that nobody vouched for: {', '.join(unknown)}. If you know where the file comes "
            f"from, add {' '.join(f'--trust {name}' for name in unknown)}."
        )
    try:
        return skops.load(path, trusted=held)
    except Exception as error:
        raise ModelError(
            f"{path.name} could not be opened ({_said(error)}): use the versions of scikit-learn and skops that wrote it."
        ) from error


def from_pickle(path: Path, trust_pickle: bool) -> Any:
    """The model in a pickle, only where the user said that its author is trusted."""
    if not trust_pickle:
        raise ModelError(
            f"{path.name} is a pickle, and opening a pickle runs whatever code its author put in: save the model with "
            "skops.io.dump, or add --trust-pickle if you trust the author."
        )
    _make_importable()
    try:
        if path.suffix.lower() == ".joblib":
            return need("joblib", f"the model file {path.name}").load(path)
        with path.open("rb") as file:
            return pickle.load(file)
    except Exception as error:
        raise ModelError(
            f"{path.name} could not be opened ({_said(error)}): the packages it was made with must be importable, "
            "in the same versions."
        ) from error


def from_module(spot: str) -> Any:
    """`package.module:name`: an object that predicts is the model; a function or class that needs no argument builds it."""
    module, _, name = spot.partition(":")
    found = functools.reduce(lambda holder, part: _attribute(holder, part, spot), name.split("."), _module(module))
    if not _builds(found):
        return found
    try:
        made = found()
    except Exception as error:
        raise ModelError(f"--model {spot}: calling it raised {_said(error)}.") from error
    if made is None:
        raise ModelError(f"--model {spot}: calling it returned nothing: it must return the model.")
    return made


def _module(name: str) -> Any:
    _make_importable()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ModelError(
                f"--model: there is no module {error.name!r} in the current folder or among the installed packages."
            ) from error
        raise ModelError(f"--model: importing {name} raised {_said(error)}.") from error
    except (Exception, SystemExit) as error:  # a script without a main guard may leave
        raise ModelError(f"--model: importing {name} raised {_said(error)}.") from error


def _attribute(holder: Any, name: str, spot: str) -> Any:
    if hasattr(holder, name):
        return getattr(holder, name)
    public = [other for other in dir(holder) if not other.startswith("_")]
    near = difflib.get_close_matches(name, public, n=1)
    raise ModelError(f"--model {spot}: there is no {name!r} in it." + (f" Did you mean {near[0]!r}?" if near else ""))


def _builds(found: Any) -> bool:
    """Whether this is a factory: a class or function that can be called without arguments."""
    if not (inspect.isclass(found) or inspect.isroutine(found) or isinstance(found, functools.partial)):
        return False
    return _callable_bare(found)


def _callable_bare(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _make_importable() -> None:
    """The current folder comes first, as with `python -m`."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
