"""The recipe: what it accepts, what it refuses, and that what it says of itself is true."""

import tomllib

import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline import recipe
from edgestill.pipeline.recipe import Recipe, bundled, dump, load, parse, schema_of
from pydantic import ValidationError

REQUIRED = {"name", "data.source", "teacher.model", "student.model"}
TREE = {
    "name": "r",
    "data": {"source": "digits"},
    "teacher": {"model": "mlp2"},
    "student": {"model": "mlp1"},
    "gate": {"min_accuracy": 0.5},
}


def schema():
    return schema_of(Recipe, "edgestill recipe")


def tree(name):
    return tomllib.loads(bundled(name).read_text())


def written(folder, text=""):
    """A recipe file: the least there is, and some more."""
    lines = [
        'name = "r"', '[data]\nsource = "npz:my data.npz"', '[teacher]\nmodel = "mlp2"', text,
        '[student]\nmodel = "mlp1"', "[gate]\nmin_accuracy = 0.5",
    ]  # fmt: skip
    (folder / "r.toml").write_text("\n".join(lines))
    return folder / "r.toml"


@pytest.mark.parametrize("name", ["digits", "start"])
def test_a_bundled_recipe_loads_and_says_what_its_file_says(name):
    content, found = tree(name), load(bundled(name)).model_dump(mode="json")
    for section in ("teacher", "student", "distill", "compress", "export", "benchmark", "gate"):
        for key, value in content[section].items():
            assert found[section][key] == value, f"{section}.{key}"


def test_what_the_starting_recipe_shows_as_defaults_are_the_defaults():
    shown, defaults = tree("start"), parse(TREE, where="r.toml").model_dump(mode="json")
    flat = {
        f"{section}.{key}": (value, defaults[section][key])
        for section, part in shown.items()
        if isinstance(part, dict) and section != "gate"
        for key, value in part.items()
    }
    flat["seed"] = (shown["seed"], defaults["seed"])
    flat["gate.prefer"] = (shown["gate"]["prefer"], defaults["gate"]["prefer"])
    assert len(flat) > 25
    assert {k: v for k, v in flat.items() if k not in REQUIRED and v[0] != v[1]} == {}


def test_the_starting_recipe_shows_every_key_of_the_parts_that_have_defaults():
    text = bundled("start").read_text()
    rare = {"min_queries", "max_queries", "max_p50_ms", "max_p99_ms"}
    for section, field in Recipe.model_fields.items():
        assert section in text
        for key in set(getattr(field.annotation, "model_fields", {})) - rare:
            assert f"{key} = " in text, f"{section}.{key}"


def test_the_schema_is_valid_and_accepts_the_bundled_recipes():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    validator.validate(tree("digits"))
    validator.validate(tree("start"))
    assert not validator.is_valid({**tree("digits"), "typo": 1})


def test_the_schema_describes_every_key_and_lets_no_other_in():
    parts = [schema(), *schema()["$defs"].values()]
    assert len(parts) == 9
    for part in parts:
        assert part["additionalProperties"] is False
        for key, value in part["properties"].items():
            assert value.get("description") or "$ref" in value or "allOf" in value, key
    assert set(tree("digits")) <= set(schema()["properties"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("distill.temperature=2", lambda r: r.distill.temperature == 2.0),
        ("distill.temperature = 2.5", lambda r: r.distill.temperature == 2.5),
        ("name=other-name", lambda r: r.name == "other-name"),
        ('name="other"', lambda r: r.name == "other"),
        ("benchmark.spinning=true", lambda r: r.benchmark.spinning is True),
        ('data.labels=["a=b", "c"]', lambda r: r.data.labels == ("a=b", "c")),
        ('compress.variants=["int8-static"]', lambda r: r.compress.variants == ("int8-static",)),
        ("export.opset=18", lambda r: r.export.opset == 18),
        ("seed=7  # a remark", lambda r: r.seed == 7),
    ],
)
def test_an_override_is_toml_or_a_bare_word(text, found, tmp_path):
    path = written(tmp_path)
    assert not found(load(path))
    assert found(load(path, [text]))


def test_the_last_of_two_overrides_holds_and_the_seed_option_beats_the_file(tmp_path):
    path = written(tmp_path)
    assert load(path, ["seed=1", "seed=2"]).seed == 2
    assert load(path, seed=9).seed == 9


def test_overrides_leave_the_tree_they_were_given_as_it_was():
    parse(TREE, where="r.toml", overrides=["data.test=0.3", "gate.max_size_kib=10"])
    assert TREE["data"] == {"source": "digits"}
    assert TREE["gate"] == {"min_accuracy": 0.5}


def test_relative_paths_are_taken_from_the_recipes_folder(tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    path = written(folder, 'weights = "w/t.safetensors"')
    monkeypatch.chdir(tmp_path)
    found = load(path.relative_to(tmp_path))
    assert found.data.source == f"npz:{folder}/my data.npz"
    assert found.teacher.weights == folder / "w/t.safetensors"


def test_absolute_paths_stay_as_they_are(tmp_path):
    path = written(tmp_path, 'weights = "/w/t.safetensors"')
    found = load(path, ["data.source=npz:/d/x.npz"])
    assert found.data.source == "npz:/d/x.npz"
    assert str(found.teacher.weights) == "/w/t.safetensors"


def test_where_something_lies_does_not_enter_a_stages_key():
    there = parse(TREE, where="r", overrides=["data.source=npz:/a.npz", "teacher.weights=/t.pt"])
    assert "source" not in there.data.ingredients()
    assert "weights" not in there.teacher.ingredients()


def test_a_part_of_a_part_holds_its_own_keys_alone():
    found = parse(TREE, where="r").distill
    assert set(found.only(recipe.Soft).ingredients()) == {
        "temperature",
        "alpha",
        "losses",
        "standardize",
        "dkd_alpha",
        "dkd_beta",
    }
    assert "alpha" not in found.only(recipe.Schedule).ingredients()


@pytest.mark.parametrize("part", ["data", "teacher", "distill", "gate"])
def test_a_recipe_is_frozen(part):
    found = parse(TREE, where="r.toml")
    with pytest.raises(ValidationError, match="frozen"):
        found.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        setattr(getattr(found, part), next(iter(type(getattr(found, part)).model_fields)), 1)


def test_a_refusal_names_file_key_found_and_expected():
    with pytest.raises(RecipeError) as refusal:
        parse({**TREE, "distill": {"alpha": 1.5}}, where="dir/r.toml")
    error = refusal.value
    assert error.where == "dir/r.toml: distill.alpha"
    assert error.found == "1.5"
    assert error.expected == "less than or equal to 1"
    assert error.exit_code == 2


def test_a_refusal_says_how_many_more_there_are():
    with pytest.raises(RecipeError, match=r"distill.alpha: found 2.0, .*\(and 1 more\)"):
        parse({**TREE, "distill": {"alpha": 2.0, "epochs": 0}}, where="r.toml")


def test_a_long_value_is_cut_in_a_refusal():
    with pytest.raises(RecipeError) as refusal:
        parse({**TREE, "name": "a" * 5000}, where="r.toml")
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("model", "parts"),
    [("mlp1", ("mlp", 1)), ("mlp12", ("mlp", 12)), ("resnet8", ("resnet", 8)),
     ("resnet110", ("resnet", 110))],
)  # fmt: skip
def test_a_models_name_is_its_family_and_depth(model, parts):
    assert recipe.family_and_depth(model) == parts


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("resnet9", "'resnet8' or 'resnet14'"),
        ("resnet2", "'resnet8' or 'resnet14'"),
        ("resnet19", "'resnet14' or 'resnet20'"),
        ("resnet020", "a family and a depth"),
        ("mlp0", "a family and a depth"),
        ("vit12", "one of the families mlp, resnet"),
        ("resnet20\n", "a family and a depth"),
    ],
)
def test_a_model_that_no_family_has_is_refused_with_its_neighbours(model, says):
    with pytest.raises(RecipeError, match=r"teacher\.model") as refusal:
        parse({**TREE, "teacher": {"model": model}}, where="r.toml")
    assert says in str(refusal.value)


def test_a_gate_lists_the_budgets_that_are_set():
    gate = {"min_accuracy": 0.5, "max_size_kib": 3, "prefer": "size"}
    found = parse({**TREE, "gate": gate}, where="r").gate
    assert found.budgets() == {"min_accuracy": 0.5, "max_size_kib": 3.0}


def test_a_dumped_recipe_is_read_back_as_the_same_recipe(tmp_path):
    recipe = load(
        bundled("digits"), ['data.labels=["a\\"b", "é\\u0001", "\U0001f600"]', "threads=3"]
    )
    (tmp_path / "again.toml").write_text(dump(recipe), encoding="utf-8")
    assert load(tmp_path / "again.toml") == recipe
