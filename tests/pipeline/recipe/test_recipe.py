"""The recipe: what it accepts, what it refuses, and that what it says of itself is true."""

import tomllib
from typing import get_args

import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline.judge.task_budgets import in_schema
from edgestill.pipeline.recipe.data import SOURCE_KINDS
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.recipe.files import bundled, dump, load, parse, schema_of
from edgestill.pipeline.recipe.model_names import family_and_depth
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.training import Schedule
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
    return in_schema(schema_of(Recipe, "edgestill recipe"))


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


@pytest.mark.parametrize("name", ["demo", "digits", "start"])
def test_a_bundled_recipe_loads_and_says_what_its_file_says(name):
    content, found = tree(name), load(bundled(name)).model_dump(mode="json")
    for section in ("teacher", "student", "distill", "compress", "export", "benchmark", "gate"):
        for key, value in content[section].items():
            assert found[section][key] == value, f"{section}.{key}"


def test_what_the_starting_recipe_shows_as_defaults_are_the_defaults():
    def leaves(part, beside, prefix=""):
        for key, value in part.items():
            if isinstance(value, dict) and f"{prefix}{key}" != "distill.losses":
                yield from leaves(value, beside[key], f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", (value, beside[key])

    shown, defaults = tree("start"), parse(TREE, where="r.toml").model_dump(mode="json")
    gate = shown.pop("gate")
    flat = dict(leaves(shown, {**defaults, "name": "", "gate": {}}))
    flat["gate.prefer"] = (gate["prefer"], defaults["gate"]["prefer"])
    assert len(flat) > 25
    assert {k: v for k, v in flat.items() if k not in REQUIRED and v[0] != v[1]} == {}


def test_the_starting_recipe_shows_every_key_of_the_parts_that_have_defaults():
    text = bundled("start").read_text()
    rare = {"min_queries", "max_queries", "max_p90_ms", "max_p99_ms"}

    def keys(model, prefix=""):
        for key, field in model.model_fields.items():
            kinds = get_args(field.annotation)
            kind = kinds[0] if type(None) in kinds else field.annotation
            part = kind if hasattr(kind, "model_fields") else None
            if part is None:
                yield prefix + key, key
            else:
                assert f"[{prefix}{key}]" in text
                yield from keys(part, f"{prefix}{key}.")

    for path, key in keys(Recipe):
        assert key in rare or f"{key} = " in text, path


def test_the_schema_is_valid_and_accepts_the_bundled_recipes():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    validator.validate(tree("demo"))
    validator.validate(tree("digits"))
    validator.validate(tree("start"))
    assert not validator.is_valid({**tree("digits"), "typo": 1})


def test_the_schema_describes_every_key_and_lets_no_other_in():
    parts = [schema(), *schema()["$defs"].values()]
    assert len(parts) == 18
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
    assert set(found.only(SoftLosses).ingredients()) == {
        "temperature",
        "alpha",
        "losses",
        "standardize",
        "dkd_alpha",
        "dkd_beta",
    }
    assert "alpha" not in found.only(Schedule).ingredients()


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
    assert error.expected == "a number from 0 to 1"
    assert error.exit_code == 2


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
    assert family_and_depth(model) == parts


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


# --- several teachers, other kinds of models, layers ------------------------------------------

MEMBERS = [
    {"model": "resnet14", "width": 4, "weight": 3.0},
    {"model": "onnx:m.onnx", "weight": 4.0},
]
LAYERS = [
    {"loss": "hint", "teacher": "layer2.0", "student": "layer1.0", "weight": 0.5},
    {"loss": "rkd", "teacher": "linear", "student": "linear"},
]


def with_teacher(**teacher):
    return parse({**TREE, "teacher": {"model": "mlp2", **teacher}}, where="r.toml")


def test_one_teacher_alone_counts_whole():
    found = with_teacher(weight=7.0).teacher
    assert found.shares == (1.0,)
    assert [one.model for one in found.teachers()] == ["mlp2"]


def test_every_member_is_a_teacher_by_itself_that_trains_by_the_first_ones_schedule():
    found = with_teacher(members=MEMBERS, epochs=3, width=9, optimizer="sgd").teacher
    assert found.shares == (0.125, 0.375, 0.5)
    first, *others = found.teachers()
    assert [one.model for one in (first, *others)] == ["mlp2", "resnet14", "onnx:m.onnx"]
    assert [one.width for one in (first, *others)] == [9, 4, 16]
    for one in (first, *others):
        assert (one.epochs, one.optimizer, one.members, one.weight) == (3, "sgd", (), 1.0)


def test_what_a_member_counts_does_not_enter_the_key_of_its_training():
    """Weights are for the answers: another mixture trains no teacher again."""
    one, other = (
        with_teacher(members=[{"model": "mlp3", "weight": w}], weight=w).teacher for w in (1.0, 5.0)
    )
    assert [t.ingredients() for t in one.teachers()] == [t.ingredients() for t in other.teachers()]
    alone = with_teacher().teacher
    assert alone.teachers()[0].ingredients() == one.teachers()[0].ingredients()


@pytest.mark.parametrize("model", ["onnx:a/m.onnx", "logits:l.npz", "hf:folder"])
def test_the_path_of_a_teacher_does_not_enter_its_key_but_its_kind_does(model):
    kind = model.partition(":")[0]
    assert with_teacher(model=model).teacher.ingredients()["model"] == kind
    inside = with_teacher(members=[{"model": model}]).teacher.ingredients()["members"]
    assert [(one["model"], "weights" in one) for one in inside] == [(kind, False)]


def test_a_name_that_is_no_path_enters_a_teachers_key():
    for model in ("timm:resnet18", "mine.models:make", "mlp3"):
        assert with_teacher(model=model).teacher.ingredients()["model"] == model


@pytest.mark.parametrize("model", ["onnx:", "onnx", "logits:", "gguf:m.gguf", "a b:c"])
def test_a_kind_of_teacher_that_is_none_is_refused(model):
    with pytest.raises(RecipeError, match=r"r.toml: teacher.model: found"):
        with_teacher(model=model)
    with pytest.raises(RecipeError, match=r"r.toml: teacher.members.0.model: found"):
        with_teacher(members=[{"model": model}])


@pytest.mark.parametrize("model", ["onnx:m.onnx", "logits:l.npz", "hf:a/folder"])
def test_a_student_is_a_family_or_a_function_and_no_file(model):
    with pytest.raises(RecipeError, match=r"student.model"):
        parse({**TREE, "student": {"model": model}}, where="r.toml")
    assert parse({**TREE, "student": {"model": "mine:make"}}, where="r").student.model


def test_every_path_of_a_recipe_is_taken_from_its_folder(tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "r.toml").write_text(
        """
        name = "r"
        [data]
        source = "text:d/t.csv"
        text.tokenizer = "tok.json"
        [teacher]
        model = "hf:bert"
        members = [
            { model = "onnx:m/a.onnx" },
            { model = "logits:../l.npz" },
            { model = "timm:resnet18", weights = "w.safetensors" },
            { model = "mlp2", weights = "/w/t.pt" },
        ]
        [student]
        model = "mine.models:make"
        [gate]
        min_score = 0.5
        """
    )
    monkeypatch.chdir(tmp_path)
    found = load(tmp_path / "there/r.toml")
    assert found.data.source == f"text:{folder}/d/t.csv"
    assert found.data.text.tokenizer == folder / "tok.json"
    assert [one.model for one in found.teacher.teachers()] == [
        f"hf:{folder}/bert",
        f"onnx:{folder}/m/a.onnx",
        f"logits:{folder}/../l.npz",
        "timm:resnet18",
        "mlp2",
    ]
    weights = [str(one.weights) for one in found.teacher.members]
    assert weights == ["None", "None", f"{folder}/w.safetensors", "/w/t.pt"]
    assert found.student.model == "mine.models:make"


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_kind_of_source_that_names_a_path_is_anchored(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = load(bundled("digits"), [f"data.source={kind}:x y"])
    assert found.data.source == f"{kind}:{tmp_path}/x y"


OPTIONS = {
    "data.text.tokenizer=x": lambda found: str(found.data.text.tokenizer),
    "data.text={ tokenizer = 'x' }": lambda found: str(found.data.text.tokenizer),
    "teacher.weights=x": lambda found: str(found.teacher.weights),
    "teacher.model=onnx:x": lambda found: found.teacher.model.removeprefix("onnx:"),
    "teacher.members=[{ model = 'onnx:x' }]": lambda found: found.teacher.members[
        0
    ].model.removeprefix("onnx:"),
    "benchmark.device=x.toml": lambda found: found.benchmark.device.removesuffix(".toml"),
    "compress.target=x.toml": lambda found: found.compress.target.removesuffix(".toml"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_path_of_an_option_is_taken_from_the_current_folder(option, tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    path = written(folder)
    monkeypatch.chdir(tmp_path)
    found = load(path, [option])
    assert OPTIONS[option](found) == f"{tmp_path}/x"
    assert found.data.source == f"npz:{folder}/my data.npz"


def test_a_wrong_option_is_blamed_and_no_file(tmp_path):
    path = written(tmp_path)
    for option in ("distill.temprature=2", "distill.temperature=cold", "student={ modl = 'a' }"):
        with pytest.raises(RecipeError) as caught:
            load(path, [option])
        assert str(caught.value).startswith("--set: "), option
        assert str(path) not in str(caught.value)
    with pytest.raises(RecipeError) as caught:
        load(written(tmp_path, "typo = 1"), ["distill.temperature=2"])
    assert str(path) in str(caught.value)


def test_a_dumped_recipe_keeps_members_layers_and_inner_tables(tmp_path):
    told = {
        **TREE,
        "data": {
            "source": "audio:/sound",
            "audio": {"front_end": "mfcc", "mels": 30},
            "text": {"tokenizer": "/t.json", "lowercase": False},
            "image": {"size": [32, 24]},
            "table": {"columns": ["a", 'b "c"'], "window": 9},
        },
        "augment": {"shift": 3, "mixup": 0.2},
        "teacher": {
            "model": "mlp2",
            "members": [*MEMBERS, {"model": "a:b", "arguments": {"n": 2}}],
        },
        "distill": {"layers": LAYERS, "views": 0, "losses": {"kd": 0.5, "dist": 1.5}},
    }
    first = parse(told, where="r.toml", overrides=["teacher.members=[]"])
    whole = parse(told, where="r.toml")
    assert whole.teacher.members[0].weight == 3.0
    assert whole.distill.layers[1].weight == 1.0
    assert first != whole
    (tmp_path / "again.toml").write_text(dump(whole), encoding="utf-8")
    again = load(tmp_path / "again.toml")
    path = f"onnx:{tmp_path}/m.onnx"
    assert again.teacher.members[1].model == path
    members = [*again.teacher.members]
    members[1] = members[1].model_copy(update={"model": "onnx:m.onnx"})
    teacher = again.teacher.model_copy(update={"members": tuple(members)})
    assert again.model_copy(update={"teacher": teacher}) == whole


@pytest.mark.parametrize(
    ("tree", "where", "says"),
    [
        ({"distill": {"layers": [{**LAYERS[0], "wieght": 1.0}]}}, "distill.layers.0.wieght",
         "did you mean 'weight'?"),
        ({"distill": {"layers": [LAYERS[0], {**LAYERS[1], "zzz": 1}]}}, "distill.layers.1.zzz",
         "known here: loss, teacher, student, weight"),
        ({"teacher": {"model": "mlp2", "members": [{"modle": "mlp2"}]}}, "teacher.members.0.modle",
         "did you mean 'model'?"),
        ({"data": {"source": "digits", "text": {"max_lenght": 3}}}, "data.text.max_lenght",
         "did you mean 'max_length'?"),
        ({"augment": {"fliip": True}}, "augment.fliip", "did you mean 'flip'?"),
    ],
)  # fmt: skip
def test_an_unknown_key_deep_inside_is_refused_with_the_nearest_one(tree, where, says):
    with pytest.raises(RecipeError) as refusal:
        parse({**TREE, **tree}, where="r.toml")
    assert refusal.value.where == f"r.toml: {where}"
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"layers": [{**LAYERS[0], "loss": "hnit"}]}, "distill.layers.0.loss: found 'hnit'"),
        ({"layers": [{**LAYERS[0], "weight": 0.0}]}, "distill.layers.0.weight: found 0.0"),
        ({"views": -1}, "distill.views: found -1"),
        ({"losses": {"kd": 0.0}}, "distill.losses.kd: found 0.0"),
        ({"optimizer": "adam"}, "'adamw' or 'sgd'"),
        ({"ema": 1.0}, "distill.ema: found 1.0"),
        ({"warmup": 1.0}, "distill.warmup: found 1.0"),
    ],
)
def test_a_value_of_the_new_keys_is_refused_with_its_place(part, says):
    with pytest.raises(RecipeError) as refusal:
        parse({**TREE, "distill": part}, where="r.toml")
    assert says in str(refusal.value)


def test_the_control_learns_as_the_student_does_but_for_its_smoothing():
    told = {"epochs": 7, "label_smoothing": 0.0, "control_smoothing": 0.1}
    distill = parse({**TREE, "distill": told}, where="r").distill
    assert distill.control().label_smoothing == 0.1
    same = distill.only(Schedule).model_copy(update={"label_smoothing": 0.1})
    assert distill.control() == same
    plain = parse({**TREE, "distill": {"label_smoothing": 0.2}}, where="r").distill
    assert plain.control() == plain.only(Schedule)


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        ({"front_end": "mfcc", "mels": 12, "coefficients": 13}, "coefficients at most mels (12)"),
        ({"low_hz": 400.0, "high_hz": 300.0}, "high_hz above low_hz (400)"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(audio, says):
    with pytest.raises(RecipeError) as refusal:
        parse({**TREE, "data": {"source": "digits", "audio": audio}}, where="r.toml")
    assert says in str(refusal.value)


# --- budgets of any metric ----------------------------------------------------------------------


def test_a_budget_of_any_metric_is_a_key_of_the_gate():
    gate = {"min_balanced_accuracy": 0.8, "max_rmse": 3, "min_recall": {"a b": 0.5, "c.d": 1}}
    found = parse({**TREE, "gate": gate}, where="r").gate
    assert found.budgets() == {
        "min_balanced_accuracy": 0.8,
        "max_rmse": 3.0,
        "min_recall.a b": 0.5,
        "min_recall.c.d": 1.0,
    }
    with pytest.raises(ValidationError, match="frozen"):
        found.min_balanced_accuracy = 0.1


@pytest.mark.parametrize(
    "text", ["gate.min_macro_f1=0.7", "gate.min_recall.cat=0.5", 'gate.min_recall."a = b.c"=0.5']
)
def test_a_recipe_with_budgets_of_metrics_is_read_back_as_the_same_recipe(text, tmp_path):
    recipe = load(bundled("digits"), [text, 'distill.losses={ "mine:loss" = 1.0 }'])
    assert len(recipe.gate.budgets()) == 7
    (tmp_path / "again.toml").write_text(dump(recipe), encoding="utf-8")
    assert load(tmp_path / "again.toml") == recipe


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gate.prefr=size", "gate.prefr: unknown key; did you mean 'prefer'"),
        ("gate.accuracy=0.5", "gate.accuracy: unknown key; did you mean 'min_accuracy'"),
        ("gate.Max_rmse=1", "gate.Max_rmse: unknown key"),
        (
            "gate.min_macro_f1='0.5'",
            "gate.min_macro_f1: found '0.5', expected a number, or a table",
        ),
        ("gate.min_macro_f1=true", "gate.min_macro_f1: found true, expected a number, or a table"),
        ("gate.min_macro_f1=nan", "gate.min_macro_f1: found nan, expected a number"),
        ("gate.min_macro_f1=[1]", "gate.min_macro_f1: found [1], expected a number"),
        (
            "gate.min_recall={}",
            "gate.min_recall: found a table, expected a number, or a table of numbers",
        ),
        (
            "gate.min_recall={ a = 'b' }",
            "gate.min_recall: found a table, expected a number, or a table",
        ),
        ("gate.min_accuracy={ a = 0.5 }", "gate.min_accuracy: found a table"),
    ],
)
def test_a_gate_takes_no_other_key_and_no_other_value(text, says):
    with pytest.raises(RecipeError) as refusal:
        load(bundled("digits"), [text])
    assert says in str(refusal.value)


def test_the_schema_has_the_metrics_of_every_task_with_what_they_are():
    import jsonschema

    keys = schema()["$defs"]["Gate"]["properties"]
    assert keys["min_balanced_accuracy"]["maximum"] == 1.0
    assert "classification" in keys["min_balanced_accuracy"]["description"]
    assert "classification, multi-label" in keys["min_macro_f1"]["description"]
    assert "regression" in keys["max_rmse"]["description"]
    valid = jsonschema.Draft202012Validator(schema()).is_valid
    for gate, expected in (
        ({"min_balanced_accuracy": 0.8}, True),
        ({"min_recall": {"cat": 0.8}}, True),
        ({"max_rmse": {"price": 90.0}}, True),
        ({"max_rmse": 90.0}, True),
        ({"min_balanced_accuracy": 80}, False),
        ({"min_recall": 0.8}, False),
        ({"min_balanced_acuracy": 0.8}, False),
    ):
        assert valid({**TREE, "gate": gate}) is expected, gate
