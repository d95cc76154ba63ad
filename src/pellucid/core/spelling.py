"""A value of ours <-> its text, `"IntegratedGradients(steps=32, baseline='zeros')"`: the one safe parser.

Command line, files and reports all speak this language. It is the `repr` of frozen dataclasses read back through
`ast` without `eval`: calls of public names, literals, tuples, lists and dicts, nothing else.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from pellucid.core.errors import MethodError, PellucidError, SpellingError
from pellucid.core.registry import resolve


def spell(value: Any) -> str:
    """The text of a value; `parse(spell(v)) == v` for every method, metric, masker and target without a callable."""
    return repr(value)


def parse(text: str) -> Any:
    """The value that `text` spells; a bare name such as `"Saliency"` means `Saliency()`."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise SpellingError(
            f"cannot read {text!r}: write a name with its fields, as in 'LIME(samples=500)'."
        ) from error
    value = _build(tree, text)
    return value() if isinstance(value, type) else value


def _build(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Tuple(elts=items):
            return tuple(_build(item, text) for item in items)
        case ast.List(elts=items):
            return [_build(item, text) for item in items]
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {_build(k, text): _build(v, text) for k, v in zip(keys, values, strict=True) if k is not None}
        case ast.Name(id="inf" | "nan" as name):
            return float(name)
        case ast.Name(id=name):
            return _value_type(name, text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            positional = [_instance(_build(arg, text)) for arg in args]
            named = {k.arg: _instance(_build(k.value, text)) for k in keywords if k.arg is not None}
            if len(named) < len(keywords):
                raise SpellingError(f"{text!r} uses '**', which a spelling does not have: write each field by name.")
            return _call(_value_type(name, text), positional, named, text)
    raise SpellingError(f"{ast.unparse(node)!r} in {text!r} is neither a literal nor a public name with fields.")


def as_value(given: Any, kinds: tuple[type, ...], says: str) -> Any:
    """A value of what a user may give: its spelling, its class (with the defaults), or itself; `says` what is wrong otherwise."""
    made = parse(given) if isinstance(given, str) else given
    made = made() if isinstance(made, type) and issubclass(made, kinds) else made
    if not isinstance(made, kinds):
        raise MethodError(f"{made!r} {says}")
    return made


def _value_type(name: str, text: str) -> type:
    found = resolve(name)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise SpellingError(
            f"{name!r} in {text!r} is not a value with fields; `pellucid methods` lists those that are."
        )
    return found


def _instance(value: Any) -> Any:
    return value() if isinstance(value, type) else value


def _call(cls: type, positional: list[Any], named: dict[str, Any], text: str) -> Any:
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    wrong = [name for name in named if name not in known]
    if wrong:
        raise SpellingError(f"{cls.__name__} has no field {wrong[0]!r}; its fields are {', '.join(known) or '(none)'}.")
    try:
        return cls(*positional, **named)
    except PellucidError:
        raise  # the value itself says which field is out of range
    except TypeError as error:
        raise SpellingError(f"cannot build {text!r}: {error}") from error
