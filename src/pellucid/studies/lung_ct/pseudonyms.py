"""Pseudonyms: the same patient always has the same one, and nobody without the key can tell whose it is.

    pseudonym = the first letters of HMAC-SHA256(key, kind + identifier)

A plain hash would not do: identifiers can be tried one after the other. The key stays in its own file, is drawn once, and should
not travel with the results.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from pellucid.core.errors import InputError

_BYTES = 32


@dataclass(frozen=True)
class Pseudonyms:
    """Who is called what; `key` is never shown."""

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms(key=...)"

    @classmethod
    def kept_in(cls, path: str | Path) -> Pseudonyms:
        """The key in this file; a new one is drawn where there is none, readable by its owner alone."""
        path = Path(path)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_BYTES) + "\n")
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii"))
        except ValueError:
            key = b""
        if len(key) != _BYTES:
            raise InputError(
                f"{path.name} holds no key: expected {2 * _BYTES} hexadecimal digits. Give an earlier run's file, or a new name."
            )
        return cls(key)

    def patient(self, identifier: str) -> str:
        """`p3f9c21ab04`"""
        return "p" + self._digest("patient", identifier)

    def scan(self, series: str) -> str:
        """`s81d0c2774e`, of a series' UID."""
        return "s" + self._digest("series", series)

    def _digest(self, kind: str, identifier: str) -> str:
        return hmac.new(self.key, f"{kind}\0{identifier}".encode(), hashlib.sha256).hexdigest()[:10]
