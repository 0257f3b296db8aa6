"""Errors speak of parameters where Python called, of options where a command did."""

import inspect

import edgestill
import pytest
from edgestill.errors import RecipeError, UsageError
from edgestill.pipeline.api.in_python import as_parameters, in_python


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, None),
        ("--device", "device="),
        ("move it, or name another folder with --out", "move it, or name another folder with out="),
        ("--max-loss and --batch-axis", "max_loss= and batch_axes="),
        ("give the full shape: --shape ids=1,N", "give the full shape: shapes={'ids': (1,N)}"),
        ("write one with: edgestill init DIR --set a=1", None),
        ("a -- b, x--y9", "a -- b, x--y9"),
    ],
)
def test_options_become_parameters_and_commands_stay(text, said):
    assert as_parameters(text) == (text if said is None and text else said)


def test_the_error_is_the_same_one_and_other_errors_pass():
    def refuse(kind):
        """Refuses."""
        raise kind("a file", where="--out", fix="see --method") if kind is UsageError else kind

    call = in_python(refuse)
    with pytest.raises(UsageError, match=r"^out: a file; see methods="):
        call(UsageError)
    with pytest.raises(ZeroDivisionError):
        call(ZeroDivisionError)
    assert call.__doc__ == "Refuses."


def test_all_problems_of_a_recipe_speak_of_parameters():
    with pytest.raises(RecipeError) as refused:
        edgestill.build(overrides=["seed=-1", "distill.epochs=-1"], progress=False)
    assert str(refused.value).count("overrides: ") == 2
    assert "--set" not in str(refused.value)


def test_every_function_of_the_package_speaks_of_its_parameters(tmp_path):
    with pytest.raises(UsageError, match=r"scenario=|offline"):
        edgestill.bench(tmp_path / "m.onnx", scenario="offline", duration=1.0, progress=False)
    with pytest.raises(UsageError) as refused:
        edgestill.compare("a.onnx", "b.onnx", inputs="x.npz", shapes={"x": (1, 2)}, progress=False)
    assert "--" not in str(refused.value)
    assert "shapes=" in str(refused.value)
    assert "processes" in inspect.signature(edgestill.bench).parameters
