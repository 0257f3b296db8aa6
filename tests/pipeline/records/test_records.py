"""Records: one name for each, frozen, without NaN; what is derived from their fields."""

import math

import pytest
import report_example
from edgestill.pipeline import records
from edgestill.pipeline.records import (
    benchmark,
    data,
    fidelity,
    models,
    quality,
    record,
    report,
    variants,
    verdict,
)
from pydantic import ValidationError

ROOMS = (benchmark, data, fidelity, models, quality, record, report, variants, verdict)


def test_every_record_is_a_name_of_the_package():
    defined = {
        name
        for room in ROOMS
        for name, kind in vars(room).items()
        if isinstance(kind, type) and issubclass(kind, record.Record)
    }
    assert defined <= set(records.__all__)
    assert all(hasattr(records, name) for name in records.__all__)


def test_a_record_is_frozen_and_takes_neither_nan_nor_an_unknown_field():
    epoch = models.Epoch(epoch=1, loss=0.5, validation_loss=0.4, validation_score=0.9, seconds=1.0)
    with pytest.raises(ValidationError):
        epoch.loss = 1.0
    with pytest.raises(ValidationError):
        models.Epoch(**{**epoch.model_dump(), "loss": math.nan})
    with pytest.raises(ValidationError):
        models.Epoch(**epoch.model_dump(), other=1)


def test_the_file_of_a_variant_is_that_of_its_first_package():
    variant = report_example.report().variants.variants[0]
    first = variant.packages[0].model
    assert (variant.file, variant.bytes, variant.sha256) == (first.name, first.bytes, first.sha256)
    assert [file.name for file in variant.packages[1].files][1:] == ["models/operators.config"]


@pytest.mark.parametrize(("difference", "holds"), [(1e-4, True), (2e-4, False)])
def test_parity_holds_up_to_its_tolerance(difference, holds):
    parity = quality.Parity(
        batch=1, optimization="all", samples=64, max_abs_difference=difference, tolerance=1e-4
    )
    assert parity.holds is holds


def test_operations_per_byte_and_the_share_of_the_roof_are_unknown_without_their_parts():
    operator = benchmark.OperatorTime(
        name="conv1", op="Conv", family="Conv", fused=(), calls=1.0, us=10.0, share=0.5,
        type="float32", macs=1000, operations=2000, parameters=10, bytes=500, roof_us=5.0,
    )  # fmt: skip
    assert (operator.intensity, operator.gop_s, operator.attained) == (4.0, 0.2, 0.5)
    unknown = operator.model_copy(update={"bytes": None, "roof_us": None})
    assert (unknown.intensity, unknown.attained) == (None, None)
