"""Studies with people: can they predict a model, debug it, or decide better with its explanations?

    from pellucid.studies.human import Study, analyze, forward_simulation, write

    study = Study("Predict the model", forward_simulation(record, predicted))
    study.save("study.json")              # the researcher's: right answers and all
    write(study, "study.html")            # the participants': one file, or `serve(study, "answers.jsonl")`
    result = analyze(study, ["answers-1.jsonl", "answers-2.jsonl"])

Before that, `participants_needed` says how many people it takes, and `rehearse` sends simulated ones through the whole study.
"""

from pellucid.studies.human.analysis import analyze
from pellucid.studies.human.answers import read
from pellucid.studies.human.item import Item, attention_check
from pellucid.studies.human.page import write
from pellucid.studies.human.power import Plan, participants_needed
from pellucid.studies.human.rehearsal import rehearse
from pellucid.studies.human.report import write_result
from pellucid.studies.human.server import serve
from pellucid.studies.human.study import Study
from pellucid.studies.human.tasks.better import better_model
from pellucid.studies.human.tasks.bug import find_bug
from pellucid.studies.human.tasks.counterfactual import counterfactual_simulation
from pellucid.studies.human.tasks.decide import decide
from pellucid.studies.human.tasks.features import drop_features, retraining
from pellucid.studies.human.tasks.forward import forward_simulation
from pellucid.studies.human.tasks.label import fix_label

__all__ = [
    "Item",
    "Plan",
    "Study",
    "analyze",
    "attention_check",
    "better_model",
    "counterfactual_simulation",
    "decide",
    "drop_features",
    "find_bug",
    "fix_label",
    "forward_simulation",
    "participants_needed",
    "read",
    "rehearse",
    "retraining",
    "serve",
    "write",
    "write_result",
]
