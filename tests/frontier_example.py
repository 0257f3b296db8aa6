"""The record of a search, made up: two objectives, whole and short trainings, one left out."""

from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Cost, ExploredRecord, FrontierRecord, PointRecord, Shortfall

SIZES = {"fp32": 4.0, "int8-static": 1.3}


def score(value, half=None):
    ends = (None, None) if half is None else (value - half, min(1.0, value + half))
    missing = "one short training" if half is None else None
    return Estimate(value, *ends, "", 180, missing, "share", "measured")


def point(number, width, file, *, whole, kind="measured", place=None, misses=()):
    ms = 0.002 * width * (1.0 if file == "fp32" else 0.7)
    value = 1.0 - 1.0 / width - (0.005 if file != "fp32" else 0.0)
    return PointRecord(
        explored=number,
        file=file,
        whole=whole,
        epochs=40 if whole else 10,
        score=score(value, 0.02) if whole else score(value),
        figures={
            "latency": Estimate(ms, None, None, "", 5, "few processes", "ms", kind),
            "size": Estimate.exact(SIZES[file] * 256.0 * width, "file size", "bytes"),
        },
        misses=misses,
        on_frontier=place,
        recipe=None if place is None else f"recipes/{place:02}.toml",
    )


def explored(number, width, **more):
    settings = {"student.model": "resnet8", "student.width": float(width), "distill.losses": "kd"}
    return ExploredRecord(
        number=number,
        settings={**settings, "distill.temperature": 4.0},
        changes=(f"student.width={width}",),
        cost=Cost(model="resnet8", width=width, parameters=width, macs=width**2),
        seconds=1.0,
        **{"epochs": 10, "score": 1.0 - 1.0 / width, "hypervolume": 0.1 * number, **more},
    )


def record(**more):
    """A search of five choices."""
    miss = Shortfall(key="max_size_kib", budget=1.0, value=2.0, needed=1.0, excess=1.0)
    points = (
        point(1, 8, "fp32", whole=True),
        point(1, 8, "int8-static", whole=True, place=1),
        point(2, 16, "fp32", whole=True, misses=(miss,)),
        point(2, 16, "int8-static", whole=True, place=2),
        point(3, 32, "fp32", whole=True, place=4, misses=(miss,)),
        point(3, 32, "int8-static", whole=True, place=3),
        point(4, 12, "fp32", whole=False),
    )
    pruned = {"epochs": None, "score": None, "hypervolume": 0.3}
    tried = (
        explored(1, 8, whole=True),
        explored(2, 16, whole=True),
        explored(3, 32, whole=True),
        explored(4, 12),
        explored(5, 64, pruned="<b>too large</b>", **pruned),
    )
    found = {
        "name": "example",
        "created": "2026-01-01T00:00:00+00:00",
        "edgestill": "0.1.0",
        "optuna": "5.0.0",
        "task": "classification",
        "metric": "accuracy",
        "samples": 180,
        "objectives": ("latency", "size"),
        "measured_on": "host",
        "target": "host",
        "on_target": True,
        "share": 0.25,
        "seed": 0,
        "explored": tried,
        "points": points,
        "reference": {"score": 0.87, "latency": 0.064, "size": 32768.0},
        "ideal": {"score": 0.97, "latency": 0.011, "size": 2662.0},
        "hypervolume": 0.42,
        "importance": {"score": {"student.width": 0.8, "distill.losses": 0.2}},
        "ended": "5 choices were explored",
        "seconds": 60.0,
    }
    return FrontierRecord(**{**found, **more})
