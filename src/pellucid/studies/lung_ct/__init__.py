"""Lung nodules in CT: from DICOM series and readers' files to patches, a network, and explanations that are checked.

    from pellucid.studies import lung_ct

    lung_ct.write_phantom("phantom", patients=24)          # or `pellucid lung-ct phantom --out phantom`
    tally = lung_ct.Tally()
    for series in lung_ct.find("phantom/dicom", tally):    # headers only
        scan = lung_ct.read(series, tally)                 # Hounsfield units and an affine, or Refused by name
    nodules = lung_ct.match(lung_ct.parse("phantom/xml/0001.xml"))

    key = lung_ct.Pseudonyms.kept_in("patches.key")
    tally = lung_ct.prepare("phantom/dicom", "phantom/xml", "patches", lung_ct.Recipe(size=32), key)
    index = lung_ct.read_index("patches", "train")         # one row a patch; the files are described in `patches.py`
    x, y = lung_ct.load("patches", index["name"]), index["label"]
    lung_ct.train("patches", "network", lung_ct.phantom_plan())
    network, described = lung_ct.load_network("network")   # a torch module in evaluation mode, for every verb of pellucid
    lung_ct.evaluate("network", "patches", "results")      # an Assessment, and predictions.csv
    lung_ct.explain_when("network", "patches", "results", pc.ExplainWhen(above=0.5, lead=0.2, seconds=60))
    found = lung_ct.benchmark("network", "patches", "results", "all", most=24)  # a Benchmark, explanations.csv and .json
    found.lines                                            # a MethodLine each: seconds, cosine, pointing, mass, failed ...
    lung_ct.Benchmark.of("results")                        # the same, read back
    lung_ct.write_report("results")                        # report.html of both
    lung_ct.visualise("network", "patches", "seen", data="phantom/dicom", pseudonyms=key)   # arrays, pictures, NIfTI volumes

Every step takes a folder and leaves files; every step may be interrupted and started again. No name and no identifier of a patient
gets into a file, a log or a file's name: patients and series go by pseudonyms (`pseudonyms.py`).
"""

from pellucid.studies.lung_ct.agreement import Nodule, match
from pellucid.studies.lung_ct.annotations import Mark, Outline, Reading, parse
from pellucid.studies.lung_ct.assess import Assessment, assess
from pellucid.studies.lung_ct.auditing import audit
from pellucid.studies.lung_ct.benchmarking import Benchmark, benchmark, explained_rows
from pellucid.studies.lung_ct.card import Card, card
from pellucid.studies.lung_ct.card_page import write_card
from pellucid.studies.lung_ct.context import Place, contexts, place_of
from pellucid.studies.lung_ct.download import Patience, download, listed
from pellucid.studies.lung_ct.evaluate import evaluate, predict
from pellucid.studies.lung_ct.figure import figure, write_png
from pellucid.studies.lung_ct.method_line import MethodLine, over_patients
from pellucid.studies.lung_ct.nbia import Server, read_manifest
from pellucid.studies.lung_ct.network import load_network, map_layer
from pellucid.studies.lung_ct.nifti import in_whole, read_nifti, to_ras, write_nifti
from pellucid.studies.lung_ct.patches import agreed, load, read_index
from pellucid.studies.lung_ct.phantom import Chest, PhantomNodule, chest
from pellucid.studies.lung_ct.phantom_files import write as write_phantom
from pellucid.studies.lung_ct.plan import Plan, phantom_plan
from pellucid.studies.lung_ct.prepare import prepare
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.recipe import SPLITS, Recipe, split
from pellucid.studies.lung_ct.refusals import Refused, Tally
from pellucid.studies.lung_ct.report import write_report
from pellucid.studies.lung_ct.selective import explain_when
from pellucid.studies.lung_ct.series import Scan, Series, find, read
from pellucid.studies.lung_ct.train import train
from pellucid.studies.lung_ct.tried import Tried, standard, tried
from pellucid.studies.lung_ct.visualise import figure_methods, visualise

__all__ = [
    "SPLITS",
    "Assessment",
    "Benchmark",
    "Card",
    "Chest",
    "Mark",
    "MethodLine",
    "Nodule",
    "Outline",
    "Patience",
    "PhantomNodule",
    "Place",
    "Plan",
    "Pseudonyms",
    "Reading",
    "Recipe",
    "Refused",
    "Scan",
    "Series",
    "Server",
    "Tally",
    "Tried",
    "agreed",
    "assess",
    "audit",
    "benchmark",
    "card",
    "chest",
    "contexts",
    "download",
    "evaluate",
    "explain_when",
    "explained_rows",
    "figure",
    "figure_methods",
    "find",
    "in_whole",
    "listed",
    "load",
    "load_network",
    "map_layer",
    "match",
    "over_patients",
    "parse",
    "phantom_plan",
    "place_of",
    "predict",
    "prepare",
    "read",
    "read_index",
    "read_manifest",
    "read_nifti",
    "split",
    "standard",
    "to_ras",
    "train",
    "tried",
    "visualise",
    "write_nifti",
    "write_card",
    "write_phantom",
    "write_png",
    "write_report",
]
