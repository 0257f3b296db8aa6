"""The files in a run's ``models/``: what a runtime finds by the model's name is still found."""

from dataclasses import replace

import runtimes_example
import tiny
from edgestill.exporters.package import File
from edgestill.pipeline.recipe import files as recipe_files
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.runs import run as runs


def test_the_weights_of_an_openvino_model_have_its_name(tmp_path):
    report = runtimes_example.several(Gate(min_accuracy=0.9, runtimes=("openvino",)))
    ship = report.verdict.ship
    assert ship.endswith("@openvino")
    variants = []
    for one in report.variants.variants:
        weights = (File(f"{one.method}.bin", 1, None),) if one.name == ship else ()
        package = replace(one.packages[0], beside=weights or one.packages[0].beside)
        variants.append(one.model_copy(update={"packages": (package, *one.packages[1:])}))
    report = report.model_copy(
        update={"variants": report.variants.model_copy(update={"variants": tuple(variants)})}
    )
    method = ship.partition("@")[0]

    def fill(draft):
        (draft / "variants").mkdir()
        for suffix in (".xml", ".bin"):
            (draft / "variants" / f"{method}{suffix}").write_text(suffix)

    recipe = recipe_files.load(tiny.write(tmp_path))
    models = runs.publish(tmp_path, report, {}, recipe, fill) / "models"
    found = {path.name: path.read_text() for path in models.iterdir() if path.name != "labels.txt"}
    assert found == {f"digits-{method}.xml": ".xml", f"digits-{method}.bin": ".bin"}
