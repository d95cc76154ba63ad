"""A study -> one HTML file that needs nothing else and may reach nothing else.

The script and the style in it are allowed by their hashes and by nothing else, so what a study brings cannot run even if an escape
were forgotten; besides, the page puts all of it in as text. Right answers are not in the page.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pellucid.core.sealed import embedded, environment, policy
from pellucid.core.store import appearing
from pellucid.studies.human.study import LONGEST, SCHEMA, Study

_TEMPLATES = files("pellucid.studies.human") / "templates"


def write(study: Study, path: str | Path) -> Path:
    """Write the questionnaire; participants open it anywhere, and save their answers as a file at the end."""
    with appearing(Path(path)) as partial:
        partial.write_text(render(study), encoding="utf-8")
    return Path(path)


def render(study: Study, token: str = "") -> str:
    """The page; with a `token` it hands answers in where it came from, as they are given."""
    style, script = (_TEMPLATES.joinpath(f"study.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return (
        environment("pellucid.studies.human")
        .get_template("study.html")
        .render(
            study=study,
            policy=policy(style, script, "'self'" if token else "'none'"),
            style=Markup(style),
            script=Markup(script),
            data=embedded(_data(study, token)),
        )
    )


def _data(study: Study, token: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "id": study.id,
        "token": token,
        "longest": LONGEST,
        "items": [item.for_page() for item in study.items],
        "conditions": study.conditions,
        "seats": [{"order": seat.order, "conditions": seat.conditions} for seat in study.plan],
    }
