"""Writes the pages below `build/docs/pages` and has Zensical turn them into `build/docs/html`, without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handbook import figures, gallery, pages
from pellucid.core.registry import METHODS, METRICS

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

REASONS = ("index", "debugging", "bias", "recourse", "trust", "vetting")

# Pages that are kept by hand -> their place in the site.
KEPT = {
    "README.md": "index.md",
    "docs/architecture.md": "concepts/architecture.md",
    "docs/coverage.md": "concepts/coverage.md",
    "docs/kernel_width.md": "concepts/kernel_width.md",
    "docs/stability.md": "concepts/stability.md",
    "docs/metrics_checked.md": "concepts/metrics_checked.md",
    "docs/examples.md": "concepts/examples.md",
    "docs/language_models.md": "concepts/language_models.md",
    "docs/answers.md": "concepts/answers.md",
    "docs/representations.md": "concepts/representations.md",
    "docs/concepts.md": "concepts/concepts.md",
    "docs/counterfactuals.md": "concepts/counterfactuals.md",
    "docs/glassbox.md": "concepts/glassbox.md",
    "docs/lime_or_shap.md": "concepts/lime_or_shap.md",
    "docs/taxonomy.md": "concepts/taxonomy.md",
    "docs/why_rather.md": "concepts/why_rather.md",
    "docs/studies.md": "concepts/studies.md",
    "docs/positional_bias.md": "concepts/positional_bias.md",
    "docs/lung_ct.md": "concepts/lung_ct.md",
    **{f"docs/reasons/{name}.md": f"reasons/{name}.md" for name in REASONS},
    "docs/evidence/gradient.md": "evidence/gradient.md",
    "docs/evidence/removal.md": "evidence/removal.md",
    "docs/evidence/counterfactuals.md": "evidence/counterfactuals.md",
    "docs/evidence/speed.md": "evidence/speed.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "LICENSE": "license.md",
}
SHIM = "https://unpkg.com/iframe-worker/shim"  # of the offline plugin; `worker.js` does the same from the site itself
Tell = Callable[[str], None]
Draw = Callable[[str, Path], figures.Drawn]
Nav = list[dict[str, Any]]


def write(out: Path, *, real: Path | None = None, tell: Tell = print) -> Path:
    """All sources of the site below `out`; `real`: the folder of real data, for the gallery's network. Returns the config."""
    shutil.rmtree(out, ignore_errors=True)
    made = out / "pages"
    for source, place in KEPT.items():
        _put(made / place, kept((ROOT / source).read_text(encoding="utf-8"), source))
    _put(made / "concepts/receipt.md", receipt_page())
    shutil.copytree(ROOT / "docs/images", made / "docs/images")
    shutil.copy(HERE / "style.css", made / "style.css")
    for folder, names, page, draw in (
        ("methods", METHODS, pages.method, figures.method),
        ("metrics", METRICS, pages.metric, figures.metric),
    ):
        for name in names:
            _put(made / folder / f"{name}.md", page(name, drawn(draw, name, made / folder, tell)))
    _put(made / "methods/index.md", pages.overview("Methods", METHODS_LEAD, pages.families()))
    _put(made / "metrics/index.md", pages.overview("Metrics", METRICS_LEAD, {"": list(METRICS)}))
    gallery.write(made / "gallery", real, tell)
    config = (HERE / "zensical.toml").read_text(encoding="utf-8").replace("#nav", f"nav = {_toml(nav())}")
    return _put(out / "zensical.toml", config)


def build(config: Path) -> Path:
    """Run Zensical; a broken link is an error. Returns the first page."""
    subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "-f", str(config)], check=True)
    html = config.parent / "html"
    shutil.copy(HERE / "worker.js", html / "worker.js")
    for page in html.rglob("*.html"):
        up = "../" * (len(page.relative_to(html).parts) - 1)
        text = page.read_text(encoding="utf-8").replace(SHIM, f"{up}worker.js")
        if found := loaded_from_elsewhere(text):
            raise SystemExit(f"{page} loads {', '.join(found)}: everything has to be local.")
        page.write_text(text, encoding="utf-8")
    return html / "index.html"


def loaded_from_elsewhere(page: str) -> list[str]:
    """Addresses that a browser fetches by itself when it shows the page: whatever is no plain link."""
    tags = re.findall(r"<(?!a\b)[a-z]+\b[^>]*>", page)
    found = [address for tag in tags for address in re.findall(r'(?:src|href)="?((?:https?:)?//[^" >]+)', tag)]
    return [*found, *re.findall(r"url\([\"']?((?:https?:)?//[^)]+)", page)]


def drawn(draw: Draw, name: str, folder: Path, tell: Tell) -> figures.Drawn | None:
    """A picture, or a line that says why there is none: the page is readable without."""
    try:
        return draw(name, folder)
    except Exception as error:  # whatever it is, it is told, and the test of the pictures fails
        tell(f"no picture of {name}: {error}")
        return None


METHODS_LEAD = (
    "A method is a value: a name and a few fields. It holds no model and no data. Each page below is made of the method's own card "
    "and docstring, and its picture is drawn by running it.\n\nThe [start page](../index.md#the-methods) has the same methods in "
    "one table with what they need and whether they add up."
)
METRICS_LEAD = (
    "A metric judges an explanation, whoever computed it. Its card says what an explanation gets that knows nothing, and where the "
    "metric itself misleads."
)


def nav() -> Nav:
    """What the reader finds where."""
    methods = [{group: [{name: f"methods/{name}.md"} for name in names]} for group, names in pages.families().items()]
    return [
        {"Start": "index.md"},
        {
            "Concepts": [
                {"How to read a receipt": "concepts/receipt.md"},
                {"What LIME's kernel width does": "concepts/kernel_width.md"},
                {"What moves the stability figure": "concepts/stability.md"},
                {"Metrics, checked": "concepts/metrics_checked.md"},
                {"Language models": "concepts/language_models.md"},
                {"Answers found in a context": "concepts/answers.md"},
                {"Counterfactuals and recourse": "concepts/counterfactuals.md"},
                {"LIME or SHAP": "concepts/lime_or_shap.md"},
                {"Which method is which": "concepts/taxonomy.md"},
                {"Why this rather than that": "concepts/why_rather.md"},
                {"Explaining by examples": "concepts/examples.md"},
                {"Units and layers": "concepts/representations.md"},
                {"Concepts in layers": "concepts/concepts.md"},
                {"Models that need no explaining": "concepts/glassbox.md"},
                {"Studies with people": "concepts/studies.md"},
                {"Positional bias of a language model": "concepts/positional_bias.md"},
                {"Lung nodules in CT": "concepts/lung_ct.md"},
                {"Architecture": "concepts/architecture.md"},
                {"What is covered": "concepts/coverage.md"},
            ]
        },
        {
            "Reasons": [
                "reasons/index.md",
                {"Debugging": "reasons/debugging.md"},
                {"Bias, group by group": "reasons/bias.md"},
                {"Recourse": "reasons/recourse.md"},
                {"When to trust a prediction": "reasons/trust.md"},
                {"Vetting before deployment": "reasons/vetting.md"},
            ]
        },
        {"Methods": ["methods/index.md", *methods]},
        {"Metrics": ["metrics/index.md", *({name: f"metrics/{name}.md"} for name in METRICS)]},
        {"Gallery": "gallery/index.md"},
        {
            "Evidence": [
                {"Gradients and maps on photographs": "evidence/gradient.md"},
                {"Removal on photographs": "evidence/removal.md"},
                {"Counterfactuals": "evidence/counterfactuals.md"},
                {"Speed": "evidence/speed.md"},
            ]
        },
        {"Project": [{"Contributing": "contributing.md"}, {"Changes": "changes.md"}, {"License": "license.md"}]},
    ]


def kept(text: str, source: str) -> str:
    """A page that is kept by hand, with its links turned to the site's own places and its tables led to pages."""
    if source == "LICENSE":
        return f"# License\n\n```text\n{text}\n```\n"
    text = re.sub(r"<!-- .*? -->\n", "\n", text)  # a comment right above a table hides it
    here = Path(KEPT[source]).parent
    text = re.sub(r"\]\((?!https?:|#)([^)#]+)", lambda m: f"]({_place(m[1], source, here)}", text)
    for folder, names in (("methods", METHODS), ("metrics", METRICS)):
        up = "../" * len(here.parts)
        for name in names:
            text = text.replace(f"\n| `{name}` |", f"\n| [`{name}`]({up}{folder}/{name}.md) |")
    return text


def _place(link: str, source: str, here: Path) -> str:
    """A link of the repository as one of the site."""
    target = (ROOT / source).parent.joinpath(link).resolve().relative_to(ROOT).as_posix()
    return "../" * len(here.parts) + KEPT.get(target, target)


def receipt_page() -> str:
    """What the start page says of receipts, and one as it is printed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    said = re.search(r"## How to read a receipt\n(.*?)\n## ", text, re.DOTALL)
    printed = figures.worlds.answer("KernelShap").record.receipt.to_json()
    return (
        "# How to read a receipt\n\nEvery record carries one: `record.receipt`.\n"
        f"{said[1] if said else ''}\n\n## One receipt, whole\n\n```json\n{printed}\n```\n"
    )


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    """A navigation as a TOML literal."""
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value)
