"""Trials that train and measure nothing: what a recipe is worth is a function of the recipe.

FakeTrials(worth)     # worth(recipe) -> {"fp32": (score, p50_ms), "int8-static": …}
"""

from dataclasses import dataclass, field, replace

import measured_example
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.files import parse
from edgestill.pipeline.records import BenchmarkRecord, Cost

TEST = 2000
TREE = {
    "name": "r",
    "data": {"source": "digits"},
    "teacher": {"model": "resnet20"},
    "student": {"model": "resnet8", "width": 8},
    "compress": {"variants": ["fp32", "int8-static"]},
    "gate": {"min_accuracy": 0.9, "max_drop_vs_fp32": 0.02, "max_p50_ms": 1.0},
}


def recipe(**parts):
    """A recipe of ``TREE`` with other sections."""
    return parse({**TREE, **parts}, where="a test")


def measured(times):
    """A short measurement of files by name, of so many milliseconds."""
    whole = measured_example.benchmark()
    fp32 = next(model for model in whole.models if model.name == "fp32")

    def file(name, p50):
        p50 = Estimate(p50, None, None, "", 5, "few processes", "ms", "measured")
        return replace(fp32, name=name, p50_ms=p50)

    models = tuple(file(name, p50) for name, p50 in times.items())
    benchmark = replace(whole, models=models, ratios=())
    return BenchmarkRecord(benchmark=benchmark, measured_on="host", target="host", on_target=True)


def estimate(value, half=0.0):
    return Estimate(value, value - half, value + half, "", TEST, kind="measured")


def quality(scores):
    """Files by name, of such scores on a validation split as large as test."""
    whole = report_example.report().quality
    fp32 = next(one for one in whole.variants if one.name == "fp32")

    def file(name, score):
        drop = estimate(scores["fp32"] - score)
        return fp32.model_copy(
            update={"name": name, "score": estimate(score), "drop_vs_fp32": drop, "metrics": {}}
        )

    variants = tuple(file(name, score) for name, score in scores.items())
    return whole.model_copy(
        update={"variants": variants, "split": "validation", "test_samples": TEST}
    )


@dataclass
class FakeTrials:
    """What ``Trials`` gives, worked out by a function.

    Attributes:
        worth: ``(recipe)``: of each file its score and its milliseconds.
        costs_of: multiply-accumulates by width.
        judged: the recipes that were judged.
        begun: what was begun before it was asked for.
        at_once: how many trainings run at once.
    """

    worth: object
    progress: object = field(default_factory=Silent)
    judged: list = field(default_factory=list)
    measured: list = field(default_factory=list)
    trained: list = field(default_factory=list)
    begun: list = field(default_factory=list)
    at_once: int = 1

    def data(self, recipe):
        whole = report_example.report().data
        record = whole.model_copy(update={"rows": {**whole.rows, "validation": TEST, "test": TEST}})

        class Made:
            pass

        made = Made()
        made.record = record
        return made

    def costs(self, recipe, architectures):
        found = (
            Cost(model=a.model, width=a.width, parameters=a.width, macs=a.width**2)
            for a in architectures
        )
        return tuple(sorted(found, key=lambda cost: cost.macs))

    def resources(self, recipe, architecture, *, timed=False):
        self.measured.append((architecture.model, architecture.width))
        student = recipe.student.model_copy(
            update={"model": architecture.model, "width": architecture.width}
        )
        worth = self.worth(recipe.model_copy(update={"student": student}))
        return measured({name: p50 for name, (_, p50) in worth.items()})

    def parallel(self, recipe):
        return self.at_once

    def ahead(self, recipes, what, share=1.0):
        self.begun += [(what, recipe.student.width) for recipe in recipes]

    def short_training(self, recipe, share):
        self.trained.append((recipe.student.width, share))
        score = self.worth(recipe)["fp32"][0]
        return report_example.report().students[0].model_copy(update={"validation_score": score})

    def on_validation(self, recipe, *, timed=False):
        self.judged.append(recipe)
        worth = self.worth(recipe)
        scores = {name: score for name, (score, _) in worth.items()}
        return quality(scores), measured({name: p50 for name, (_, p50) in worth.items()})
