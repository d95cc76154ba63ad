"""What is refused, by name, so that one bad file does not end a run over a thousand patients.

A reason is one of a few words; the detail says what was seen. Neither ever holds a name, a number of a patient, or a path.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

REASONS = {
    "not DICOM": "the file is no DICOM file, or is damaged",
    "not CT": "another modality",
    "no axial image": "a localizer, a secondary capture, or a colour picture",
    "incomplete header": "position, orientation, spacing or an identifier is missing",
    "absurd geometry": "a size, a spacing or an extent that no scanner has",
    "truncated": "there are fewer pixels than the header promises",
    "unreadable pixels": "compressed in a way that no installed codec reads",
    "mixed series": "slices of different size, spacing or orientation under one series",
    "tilted gantry": "slices are not stacked along their normal",
    "missing slices": "the distance between neighbours is not the same everywhere",
    "conflicting slices": "two different slices at one position",
    "too few slices": "not a volume",
    "not understood": "something that nobody had thought of: please report it",
    "no annotation": "no reader's file names this series",
    "not XML": "the file is no reader's file, or is not safe to read",
    "not a CT reading": "a reading of chest films",
    "annotation elsewhere": "outlines on slices or pixels that the series does not have",
    "no such scan": "no series in the folder goes by this pseudonym under this key",
    "another scan": "not what the patches were cut from",
    "no lung": "no air inside the body was found",
    "not on the server": "the server has no such series",
    "connection cut": "the download did not get through, however often it was tried",
    "unsafe archive": "a name that leads elsewhere, a link, or more data than was announced",
    "damaged archive": "no archive, or files that are not what their checksums say",
    "not written": "the disk is full, or the folder may not be written to",
}


class Refused(Exception):
    """Something that cannot be used: a reason out of `REASONS` and what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        assert reason in REASONS, reason
        super().__init__(f"{reason}: {detail or REASONS[reason]}")
        self.reason, self.detail = reason, detail

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return Refused, (self.reason, self.detail)  # from one process to another


@dataclass
class Tally:
    """What a run used and what it refused, with a sentence each; the rest goes on."""

    used: int = 0
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # what, reason, detail
    notes: Counter[str] = field(default_factory=Counter)

    def refuse(self, what: str, error: Refused) -> None:
        """`what` is a pseudonym or a kind of file, never a name."""
        self.refused.append((what, error.reason, error.detail))

    @property
    def counts(self) -> dict[str, int]:
        """How often for which reason, the commonest first."""
        return dict(Counter(reason for _, reason, _ in self.refused).most_common())

    def lines(self) -> list[str]:
        """The summary for people."""
        told = [f"{self.used} used, {len(self.refused)} refused"]
        told += [f"{count} x {reason}: {REASONS[reason]}" for reason, count in self.counts.items()]
        return told + [f"{count} x {note}" for note, count in sorted(self.notes.items())]
