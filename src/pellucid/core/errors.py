"""One small tree of errors: every message says what was given, what was expected and what to do."""

from __future__ import annotations


class PellucidError(Exception):
    """Whatever this library raises on purpose."""


class InputError(PellucidError, ValueError):
    """Data that cannot be explained as given: empty, wrong rank, missing column, NaN ..."""


class TargetError(PellucidError, ValueError):
    """A target that the model's output does not have."""


class ModelError(PellucidError, RuntimeError):
    """The model raised, returned something unusable, or cannot do what a method needs."""


class MethodError(PellucidError, TypeError):
    """A method, metric or masker that does not apply here, or hyper-parameters out of range."""


class SpellingError(PellucidError, ValueError):
    """A text that does not spell a value of ours."""


class StoreError(PellucidError, ValueError):
    """A file that is not a record of ours."""


class MissingDependency(PellucidError, ImportError):
    """An optional framework that is not installed."""
