"""A run on disk whose models are mere bytes, for what copies, describes or refuses them.

run = write_run(tmp_path / "run", report())
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import report_example
from edgestill.pipeline.engine.store import folder_digests
from edgestill.pipeline.runs.run import FORMAT, MANIFEST

GOLDEN = 16
NASTY = '"]}\n---\n# <script>|[x](http://y) `$(id)` ${id} \\(id) \\" *b* \u202eabc\x1b[31m\u2028😀'
"""A name that ends strings, lines, tables and fences, and turns text round."""


def report(**changes):
    """The example of a report, with files named as a build names them."""
    whole = report_example.report(**changes)

    def renamed(variant):
        packages = [
            replace(
                package,
                model=replace(package.model, name=f"{variant.name}{package.suffix}"),
                beside=tuple(replace(one, name=Path(one.name).name) for one in package.beside),
            )
            for package in variant.packages
        ]
        return variant.model_copy(update={"packages": tuple(packages)})

    variants = whole.variants
    files = {
        "variants": tuple(map(renamed, variants.variants)),
        "teacher": renamed(variants.teacher),
    }
    return whole.model_copy(update={"variants": variants.model_copy(update=files)})


def write_run(folder, whole):
    """Write the files of a run; nothing of it was built."""
    variants, records = folder / "variants", folder / "records"
    variants.mkdir(parents=True)
    records.mkdir()
    rng = np.random.default_rng(0)
    outputs = whole.variants.student.outputs
    golden = {"input": rng.random((GOLDEN, *whole.data.sample_shape)).astype(whole.data.dtype)}
    for variant in whole.variants.files:
        for package in variant.packages:
            for file in package.files:
                (variants / file.name).write_bytes(f"{file.name} of a test".encode())
            if package.runtime is not None:
                numbers = rng.standard_normal((GOLDEN, outputs)).astype(np.float32)
                golden[package.model.name] = numbers
    for name in whole.data.files:
        (variants / name).write_text("{}")
    np.savez(records / "golden.npz", allow_pickle=False, **golden)
    (folder / "report.json").write_text(whole.model_dump_json())
    return seal(folder)


def seal(folder):
    """Write a run's manifest for the files that are there now; returns the run."""
    (folder / MANIFEST).unlink(missing_ok=True)
    content = {"format": FORMAT, "recipe": {}, "keys": {}, "files": folder_digests(folder)}
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def relabelled(whole, labels):
    """The same whole with other names of its classes."""
    data = whole.data.model_copy(update={"labels": labels})
    return whole.model_copy(update={"data": data})


def hostile(whole):
    """The same whole with names that no format should obey."""
    labels = tuple(f"{NASTY}{number}" for number in range(len(whole.data.labels)))
    whole = relabelled(whole, labels)
    data = whole.data.model_copy(update={"source": NASTY, "front_end": {"columns": [NASTY]}})
    model = whole.variants.student.model_copy(update={"model": NASTY})
    return whole.model_copy(
        update={
            "name": "nasty",
            "data": data,
            "recipe": {**whole.recipe, "license": NASTY},
            "teachers": tuple(one.model_copy(update={"model": NASTY}) for one in whole.teachers),
            "variants": whole.variants.model_copy(update={"student": model}),
            "verdict": whole.verdict.model_copy(update={"why": NASTY}),
        }
    )
