"""The documentation site: every method and metric has a page, a picture and a meaning for each field; nothing is fetched."""

import dataclasses
import html
import re

import markdown as reader
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import photographs
from handbook import figures, pages, prose, site, worlds
from pellucid.core import registry

ALL = [*registry.METHODS, *registry.METRICS]


def seen(text: str) -> str:
    """What a reader sees of a Markdown text: its letters without tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", reader.markdown(text, extensions=["tables", "fenced_code"])))


@example("_a_")
@example("*a*")
@example("[a](b)")
@example("<b>&lt;")
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="`"), min_size=1))
def test_no_sign_of_a_docstring_is_taken_for_markup(text):
    assert seen(f"x {prose.plain(text)}") == f"x {text}"


def test_code_in_backticks_stays_code():
    assert reader.markdown(prose.plain("`a_b` is a_b_c, <b> | *")) == (
        "<p><code>a_b</code> is a&#95;b&#95;c, &#60;b&#62; &#124; &#42;</p>"
    )
    assert seen(prose.plain("an odd ` alone")) == "an odd ` alone"


def test_equations_become_code_and_lists_stay_lists():
    made = reader.markdown(
        prose.markdown("The sum\n\n    y_i = a*b\n      + c\n\nand\n\n- one\n  more\n- two"), extensions=["fenced_code"]
    )
    assert '<pre><code class="language-text">y_i = a*b\n  + c\n</code></pre>' in made
    assert made.count("<li>") == 2 and "one\n  more" in made.replace("one\nmore", "one\n  more")


def test_the_meaning_of_a_field_is_found_in_its_docstring():
    layer, grid, relu = prose.fields(registry.resolve("GradCAM"))
    assert (layer.name, layer.kind, layer.default) == ("layer", "str | None", "None")
    assert layer.meaning == "`layer` by name, None for the last one with space"
    assert grid.meaning == "`grid` (h, w) of tokens" and relu.meaning == "`relu` False keeps evidence against"


def test_a_clause_that_names_no_field_belongs_to_the_one_before():
    @dataclasses.dataclass
    class Made:
        """`start` is where it begins; several are averaged. `seed` too."""

        start: int = 0
        seed: int = 1

    start, seed = prose.fields(Made)
    assert start.meaning == "`start` is where it begins; several are averaged" and seed.meaning == "`seed` too"


@pytest.mark.parametrize("name", ALL)
def test_every_field_has_a_meaning(name):
    silent = [field.name for field in prose.fields(registry.resolve(name)) if not field.meaning]
    assert not silent, f"say what {silent} mean in the docstring of {name}, the name in `backticks`"


@pytest.mark.parametrize("name", ALL)
def test_every_page_shows_the_whole_card(name):
    page = pages.method if name in registry.METHODS else pages.metric
    text, card = " ".join(seen(page(name, None)).split()), registry.resolve(name).card
    for said in (card.question, card.cost, card.paper):
        assert " ".join(said.replace("`", "").split()) in text
    for clause in card.weaknesses.split(";"):
        assert " ".join(clause.replace("`", "").split()) in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_method_and_metric_has_a_picture(name, tmp_path, monkeypatch, briefly_trained):
    monkeypatch.setattr(worlds, "network", lambda: briefly_trained)
    drawn = (figures.method if name in registry.METHODS else figures.metric)(name, tmp_path)
    assert drawn.receipt.method
    assert drawn.words if drawn.file is None else drawn.file.stat().st_size > 5000


@pytest.fixture(scope="module")
def briefly_trained():
    return photographs.network(steps=3)


@pytest.mark.slow
def test_the_site_builds_offline_even_without_pictures(tmp_path, monkeypatch):
    def refuse(name, folder):
        raise ValueError("no pictures today")

    monkeypatch.setattr(figures, "method", refuse)
    monkeypatch.setattr(figures, "metric", refuse)
    monkeypatch.setattr(site.gallery, "write", lambda folder, real, tell: site._put(folder / "index.md", "# Gallery"))
    told = []
    start = site.build(site.write(tmp_path / "docs", tell=told.append))
    assert len(told) == len(ALL) and told[0] == f"no picture of {ALL[0]}: no pictures today"
    made = sorted(page.relative_to(start.parent).as_posix() for page in start.parent.rglob("*.html"))
    assert {f"methods/{name}.html" for name in registry.METHODS} <= set(made)
    assert 'src="../worker.js"' in (start.parent / "methods/GradCAM.html").read_text(encoding="utf-8")
    assert (start.parent / "worker.js").exists() and (start.parent / "search.js").exists()


def test_methods_go_where_their_card_says():
    assert worlds.suited(registry.resolve("GradCAM").card).x.shape == (1, 3, 96, 96)
    assert worlds.suited(registry.resolve("KernelShap").card).x.shape == (1, 10)
    assert worlds.suited(registry.resolve("PermutationImportance").card).x.shape == (100, 10)


def test_calls_say_what_the_verb_needs(monkeypatch, briefly_trained):
    monkeypatch.setattr(worlds, "network", lambda: briefly_trained)
    lines = {}
    for name in ("GradCAM", "PermutationImportance", "PartialDependence"):
        said = worlds.answer(name)
        lines[name] = figures.call(said.method, said.record)
    assert lines == {
        "GradCAM": "record = pc.explain(model, x, pc.GradCAM())",
        "PermutationImportance": "record = pc.importance(model, X, y, pc.PermutationImportance())",
        "PartialDependence": "record = pc.effect(model, X, 'mean concave points', pc.PartialDependence())",
    }


def test_calls_name_only_what_is_not_the_default():
    made = registry.resolve("SmoothGrad")(method=registry.resolve("GradCAM")(relu=False), samples=7)
    assert figures.spelt(made) == "SmoothGrad(method=GradCAM(relu=False), samples=7)"


@pytest.mark.parametrize("source", site.KEPT)
def test_links_of_kept_pages_lead_to_places_of_the_site(source):
    text = site.kept((site.ROOT / source).read_text(encoding="utf-8"), source)
    here = site.KEPT[source].rpartition("/")[0]
    generated = {
        f"{kind}/{name}.md"
        for kind, names in (("methods", registry.METHODS), ("metrics", registry.METRICS))
        for name in names
    }
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        place = re.sub(r"^(\.\./)+", "", link) if link.startswith("../") else f"{here}/{link}".lstrip("/")
        copied = not place.endswith(".md") and (site.ROOT / place).exists()
        assert copied or place in {*site.KEPT.values(), *generated, "gallery/index.md"}, link


def test_the_navigation_has_every_page():
    text = repr(site.nav())
    assert all(f"'methods/{name}.md'" in text for name in registry.METHODS)
    assert all(f"'metrics/{name}.md'" in text for name in registry.METRICS)


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://a.b/c.js">', ["https://a.b/c.js"]),
        ('<link rel="stylesheet" href="//fonts.a/b.css">', ["//fonts.a/b.css"]),
        ("<img src=http://a/b.png>", ["http://a/b.png"]),
        ("<style>@font-face {src: url('https://a/f.woff')}</style>", ["https://a/f.woff'"]),
        ('<a href="https://skops.readthedocs.io">a link</a> <img src="local.png">', []),
    ],
)
def test_whatever_a_page_would_fetch_is_found(page, found):
    assert site.loaded_from_elsewhere(page) == found
