"""The time by operator of a small residual network, and of graphs of other shapes."""

from edgestill.pipeline.records import OperatorsRecord, OperatorTime


def operator(name, us, share, after, op="Conv"):
    return OperatorTime(
        name=name,
        op=op,
        family=op,
        fused=(op,),
        calls=1.0,
        us=us,
        share=share,
        type="float32",
        macs=120_000,
        operations=240_000,
        parameters=900,
        bytes=64_000,
        roof_us=us / 2,
        after=after,
    )


def operators(edges, names=None, us=None):
    """Operators of a graph: of each those that it reads, its name and its time."""
    times = us or [1.0 + at % 7 for at in range(len(edges))]
    named = names or [f"n{at}" for at in range(len(edges))]
    return tuple(
        operator(name, time, time / sum(times), after)
        for name, time, after in zip(named, times, edges, strict=True)
    )


def record(made, name="fp32"):
    return OperatorsRecord(
        name=name,
        runtime="onnxruntime 1.29.0",
        threads=1,
        runs=200,
        query_us=sum(one.us for one in made),
        p50_us=31.0,
        profiled_us=44.0,
        operators=tuple(made),
        unplaced_macs=0,
        roof=None,
        roof_missing="no figures of this machine",
    )


def residual(blocks=3):
    """A stem, blocks of two convolutions with a shortcut around them, and a head."""
    edges, names = [()], ["stem"]
    for block in range(blocks):
        start = len(edges) - 1
        edges += [(start,), (start + 1,), (start, start + 2)]
        names += [f"layers.{block}.{part}" for part in ("conv1", "conv2", "add")]
    edges.append((len(edges) - 1,))
    return record(operators(edges, [*names, "head"]))


def reported(report):
    """A report of which the operators of two variants were timed."""
    records = (residual(), residual().model_copy(update={"name": "int8-static"}))
    measured = report.measured.model_copy(update={"operators": records})
    return report.model_copy(update={"measured": measured})
