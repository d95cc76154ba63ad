"""A folder of the transformers library on the command line, the default method, and coloured texts."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pellucid as pc
from pellucid.cli.app import app

transformers_only = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
TEXT = "not <b>great</b>, but fun"


def marks(texts):
    return np.array([2.0 * text.count("fun") - 3.0 * text.count("not") + 0.01 * len(text) for text in texts])


def test_coloured_text_is_whole_signed_and_escaped():
    a = pc.explain(marks, [TEXT, "one"], pc.Occlusion())
    page = pc.plot.text_html(a, 0)
    assert "<b>" not in page and "&lt;" in page and "blue over a dashed line lowers</figcaption>" in page
    assert "dashed" not in pc.plot.text_html(pc.explain(marks, ["fun"], pc.Occlusion()))
    assert (
        re.sub(r"<[^>]+>", "", page.partition("<p")[2].partition(">")[2]).replace("&lt;", "<").replace("&gt;", ">")
        == TEXT
    )
    assert "dashed" in page.partition(">not<")[0] and "dashed" not in page.partition(">fun<")[0].rpartition("<span")[2]
    told = pc.plot.text_terminal(a, 0)
    assert re.sub(r"\x1b\[[^m]*m", "", told) == TEXT and "\x1b[4;" in told.partition("not")[0]
    red, blue = (re.search(r"48;2;(\d+);(\d+);(\d+)m" + word, told).groups() for word in ("fun", "not"))
    assert int(red[0]) > int(red[2]) and int(blue[0]) < int(blue[2])
    assert "\x1b" not in re.sub(
        r"\x1b\[[^m]*m", "", pc.plot.text_terminal(pc.explain(marks, ["a\x1b[31m b"], pc.Occlusion()))
    )
    with pytest.raises(pc.InputError, match="explain a list of strings"):
        pc.plot.text_html(replace(a, texts=None))


def test_subwords_are_joined_on_request():
    a = pc.explain(marks, [TEXT], pc.Occlusion())
    assert len(pc.plot.text(a, join="sentences").texts) < len(pc.plot.text(a).texts)
    assert pc.plot.text_html(a, join="sentences").count("<span") == 1


class TestFolders:
    pytestmark = transformers_only

    @pytest.fixture
    def folder(self, tmp_path):
        small = pytest.importorskip("small_lm")
        small.qwen().save_pretrained(tmp_path / "lm")
        small.tokenizer().save_pretrained(tmp_path / "lm")
        pd.DataFrame({"prompt": small.PROMPTS}).to_csv(tmp_path / "prompts.csv", index=False)
        return tmp_path

    def test_a_folder_is_explained(self, folder):
        arguments = ["explain", "--model", str(folder / "lm"), "--data", str(folder / "prompts.csv"), "--rows", "0:2"]
        asked = ["--system", "You are an advisor.", "--target", "LogOdds('MSFT', 'NVDA')"]
        shown = CliRunner().invoke(
            app, [*arguments, *asked, "--masker", "Tokens(span='user')", "--method", "Occlusion"]
        )
        assert shown.exit_code == 0, shown.output
        assert "MSFT" in shown.output and "Tokens(fill='delete', span='user')" in shown.output
        told = CliRunner().invoke(app, [*arguments, *asked, "--json"])
        assert told.exit_code == 0, told.output
        found = json.loads(told.stdout)
        assert found["method"].startswith("PartitionShap") and found["background"] is None
        small = pytest.importorskip("small_lm")
        model = pc.CausalLM(small.qwen(), small.tokenizer(), system="You are an advisor.")
        own = pc.explain(model, small.PROMPTS[:2], target=pc.LogOdds("MSFT", "NVDA"))
        np.testing.assert_allclose(found["values"], own.values, atol=1e-5)
        several = CliRunner().invoke(app, ["explain", "--model", str(folder / "lm"), "--data", str(self.two(folder))])
        assert several.exit_code != 0 and "reads one column" in several.output

    def two(self, folder):
        pd.DataFrame({"a": ["x y"], "b": ["z"]}).to_csv(folder / "two.csv", index=False)
        return folder / "two.csv"

    def test_folders_of_other_models(self, folder):
        from pellucid.models.loading import from_folder

        small_bert = pytest.importorskip("small_bert")
        small_bert.bert().save_pretrained(folder / "bert")
        small_bert.tokenizer().save_pretrained(folder / "bert")
        assert isinstance(from_folder(str(folder / "bert")), pc.TextModel)
        with pytest.raises(pc.ModelError, match="BertForSequenceClassification: expected a causal language model"):
            from_folder(str(folder / "bert"), "You are an advisor.")

    def test_gated_models_say_how(self, monkeypatch):
        import transformers

        def refused(*_names, **_more):
            raise OSError("You are trying to access a gated repo.\nMake sure to have access to it.")

        monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refused)
        with pytest.raises(pc.ModelError, match=r"gated.*accept its licence.*HF_TOKEN"):
            pc.CausalLM.load("some/model")
        with pytest.raises(pc.ModelError, match="no language model is named"):
            pc.CausalLM.load("")
