"""The variants stage: every variant in every format, and what its files say of themselves."""

from edgestill.exporters import metadata
from edgestill.exporters.package import File
from edgestill.pipeline.compress import variants


def test_every_model_of_a_build_has_the_packages_of_the_recipe(built):
    done, _, _ = built
    folder = done.run / "variants"
    for variant in done.report.variants.files:
        assert [package.format for package in variant.packages] == ["onnx", "ort"]
        for package in variant.packages:
            assert all(File.of(folder / file.name) == file for file in package.files)
            assert package.model.name == f"{variant.name}{package.suffix}"


def test_fp32_is_made_first_and_changes_nothing(built):
    record = built[0].report.variants
    assert record.variants[0].name == variants.FP32
    assert [variant.changed_nodes for variant in record.files[:2]] == [0, 0]
    assert all(variant.changed_nodes for variant in record.variants[1:])


def test_a_file_names_its_variant_and_the_models_it_is_made_of(built):
    done, _, _ = built
    for variant in done.report.variants.files:
        facts = metadata.read(done.run / "variants" / variant.file)
        assert facts["variant"] == variant.name
        model = done.report.teachers[0] if variant.name == "teacher" else done.report.students[0]
        assert facts["model"]["name"] == model.model
        assert facts["hashes"]["weights_sha256"] == model.weights_sha256
