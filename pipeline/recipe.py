"""The recipe: everything a build is told, read from TOML into frozen models.

    >>> recipe = load(bundled("digits"), overrides=["distill.temperature=2"])
    >>> recipe.distill.temperature
    2.0

Unknown keys are refused with the nearest known one, every value has its range, and each refusal
names the file, the key, what was found and what is expected. Paths inside a recipe are relative to
the recipe's own folder.
"""

import copy
import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import RecipeError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Variant = Literal["fp32", "int8-dynamic", "int8-static"]
SoftLoss = Literal["kd", "mse", "dkd", "dist"]
Preference = Literal["latency", "size", "energy", "accuracy"]


FAMILIES = {"mlp": (1, 1), "resnet": (8, 6), "mobilenet": (3, 1), "dscnn": (1, 1)}
"""Model families: the least depth and the step to the next; ``models/`` has their builders.

They stand here so that a name is refused before any work, and without torch.
"""
IMAGE_FAMILIES = frozenset({"resnet", "mobilenet", "dscnn"})
"""Families that take images only."""


def family_and_depth(model: str) -> tuple[str, int]:
    """The two parts of a model's name: ``("resnet", 20)`` of ``resnet20``.

    Raises:
        ValueError: no such family or depth; says what was expected.
    """
    match = re.fullmatch(r"([a-z_]+)([1-9][0-9]{0,5})", model)
    if match is None:
        raise ValueError("a family and a depth in one name, such as 'resnet20' or 'mlp2'")
    family, depth = match[1], int(match[2])
    if family not in FAMILIES:
        near = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"; did you mean '{near[0]}{depth}'?" if near else ""
        raise ValueError(f"one of the families {', '.join(FAMILIES)} and a depth{hint}")
    least, step = FAMILIES[family]
    if depth < least or (depth - least) % step:
        below = max(least, depth - (depth - least) % step)
        raise ValueError(
            f"a depth of {least}, {least + step}, {least + 2 * step}, …, "
            f"such as '{family}{below}' or '{family}{below + step}'"
        )
    return family, depth


P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """A part of a recipe: frozen, and nothing unknown gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    addresses: ClassVar[frozenset[str]] = frozenset()
    """Keys that say where something lies, not what it is; its content is hashed instead."""

    def ingredients(self) -> dict[str, Any]:
        """What of this part decides a stage's result, as JSON."""
        return self.model_dump(mode="json", exclude=set(self.addresses))

    def only(self, kind: type[P]) -> P:
        """Just the keys of a base part, so that the others do not enter a stage's key."""
        return kind.model_validate({key: getattr(self, key) for key in kind.model_fields})


class Data(Part):
    """Where the samples come from and how they are split."""

    addresses = frozenset({"source"})

    source: str = Field(
        description="'digits', 'npz:FILE' or 'module:function' (a function returning arrays).",
    )
    layout: Literal["auto", "table", "hw", "hwc", "chw"] = Field(
        "auto",
        description="What the axes of one sample mean; 'auto' goes by rank and channel count.",
    )
    labels: tuple[str, ...] = Field((), description="Class names, in the order of the labels.")
    mean: tuple[float, ...] = Field(
        (), description="Mean per channel (or one), in the data's own units; empty: from train."
    )
    std: tuple[Positive, ...] = Field(
        (), description="Standard deviation per channel (or one); empty: from train."
    )
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Fraction kept for test, where the source has no test split."
    )
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction kept for validation, where the source has no such split."
    )
    calibration: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction kept for calibration, where the source has no such split."
    )
    duplicates: Literal["refuse", "drop", "allow"] = Field(
        "refuse",
        description="What to do where the same sample stands in two splits; 'drop' keeps it in "
        "test (then validation, then calibration) only.",
    )

    @model_validator(mode="after")
    def _splits_leave_a_train_set(self) -> Self:
        kept = self.test + self.validation + self.calibration
        if kept >= 1.0:
            raise ValueError(f"test + validation + calibration below 1, not {kept:g}")
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ValueError(
                f"as many values of std as of mean ({len(self.mean)}), not {len(self.std)}"
            )
        if bool(self.mean) != bool(self.std):
            raise ValueError("mean and std together, or neither")
        return self


class Architecture(Part):
    """A model by family, depth and width."""

    model: str = Field(description="Family and depth in one name: 'resnet20', 'mlp2'.")
    width: Annotated[int, Field(ge=1, le=8192)] = Field(
        16, description="Channels of the first stage (resnet) or units of a hidden layer (mlp)."
    )

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        family_and_depth(value)
        return value


class Schedule(Part):
    """How a model is trained: AdamW under a one-cycle learning rate."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(20, description="Passes over train.")
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = Field(64, description="Samples a step.")
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = Field(
        0.003, description="Peak learning rate of the one-cycle schedule."
    )
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.01, description="Decoupled weight decay."
    )


class Teacher(Architecture, Schedule):
    """The model that is taught from: trained here, or loaded from its weights."""

    addresses = frozenset({"weights"})

    weights: Path | None = Field(
        None,
        description="A .safetensors (or weights-only .pt) file to load instead of training.",
        strict=False,
    )


class Student(Architecture):
    """The model that ships."""

    width: Annotated[int, Field(ge=1, le=8192)] = Field(
        8, description="Channels of the first stage (resnet) or units of a hidden layer (mlp)."
    )


def _hinton() -> dict[SoftLoss, float]:
    return {"kd": 1.0}


class Soft(Part):
    """How soft targets weigh in: (1 - alpha) · hard + alpha · the weighted sum of soft losses."""

    temperature: Annotated[float, Field(gt=0.0, le=100.0)] = Field(
        4.0, description="Softens teacher and student alike; kd, dkd and dist are scaled by T²."
    )
    alpha: Fraction = Field(0.9, description="Weight of the soft losses; 0 is plain training.")
    losses: dict[SoftLoss, Positive] = Field(
        default_factory=_hinton,
        min_length=1,
        description="Weight of each soft loss: kd (Hinton 2015), mse (Ba & Caruana 2014), dkd "
        "(Zhao 2022), dist (Huang 2022).",
    )
    standardize: bool = Field(
        False, description="Soft losses see logits with mean 0 and deviation 1 (Sun 2024)."
    )
    dkd_alpha: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        1.0, description="dkd's weight of the target class against all others."
    )
    dkd_beta: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        8.0, description="dkd's weight of the other classes among themselves."
    )


class Distill(Schedule, Soft):
    """How the student learns."""

    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        description="How many students to train, at seed, seed+1, …; the best on validation ships.",
    )


class Compress(Part):
    """Which variants are made of the student."""

    variants: tuple[Variant, ...] = Field(
        get_args(Variant), description="Variants to make; fp32 is always made.", min_length=1
    )
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = Field(
        256, description="Samples of the calibration split shown to static quantization."
    )
    reduce_range: Literal["auto", "always", "never"] = Field(
        "auto",
        description="7-bit weights; 'auto': where the host's CPU has no VNNI and would saturate.",
    )

    @field_validator("variants")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each variant once")
        return value


class Export(Part):
    """How models leave the house."""

    opset: Annotated[int, Field(ge=18, le=23)] = Field(20, description="ONNX operator set.")
    ort_target: Literal["arm", "amd64"] = Field(
        "arm", description="What the .ort file is optimized for ('amd64' bakes in host layouts)."
    )


class Benchmark(Part):
    """How the models are measured."""

    processes: Annotated[int, Field(ge=1, le=200)] = Field(
        9, description="Fresh processes per model; fewer than 6 give no interval at 95 %."
    )
    seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = Field(
        0.3, description="Timed seconds a process."
    )
    min_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        64, description="Queries a process, at the least."
    )
    max_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        10_000, description="Queries a process, at the most."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] = Field(1, description="Intra-op threads.")
    spinning: bool = Field(False, description="Let idle threads spin (onnxruntime's own default).")
    batch: Annotated[int, Field(ge=1, le=65_536)] = Field(1, description="Samples a query.")

    @model_validator(mode="after")
    def _least_is_not_above_most(self) -> Self:
        if self.min_queries > self.max_queries:
            raise ValueError(
                f"min_queries ({self.min_queries}) at most max_queries ({self.max_queries})"
            )
        return self


class Gate(Part):
    """The budgets. A variant is READY when every interval lies inside its budget."""

    min_accuracy: Fraction | None = Field(None, description="Accuracy on test, 0 to 1.")
    max_drop_vs_teacher: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Accuracy lost to the teacher, 0.02 is two points."
    )
    max_drop_vs_fp32: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Accuracy lost to the fp32 student, 0.01 is one point."
    )
    min_agreement: Fraction | None = Field(
        None, description="Share of test answered as the teacher answers it, right or wrong."
    )
    max_p50_ms: Positive | None = Field(None, description="Median latency in milliseconds.")
    max_p90_ms: Positive | None = Field(None, description="90th percentile latency.")
    max_p99_ms: Positive | None = Field(None, description="99th percentile latency.")
    max_peak_memory_mib: Positive | None = Field(
        None, description="Peak memory over the import baseline, MiB."
    )
    max_size_kib: Positive | None = Field(None, description="Size of the model file, KiB.")
    max_energy_uj: Positive | None = Field(
        None, description="Energy proxy per inference, microjoules; see the report for its method."
    )
    prefer: Preference = Field(
        "latency", description="Which READY variant ships: the best in this figure."
    )

    @model_validator(mode="after")
    def _judges_something(self) -> Self:
        if not self.budgets():
            raise ValueError(
                "at least one budget, such as min_accuracy = 0.9 or max_size_kib = 100"
            )
        return self

    def budgets(self) -> dict[str, float]:
        """The budgets that are set, by key."""
        return {
            key: value
            for key, value in self.model_dump().items()
            if key.startswith(("min_", "max_")) and value is not None
        }


class Recipe(Part):
    """One build, whole."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Names the run's folder and files.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(0, description="Seeds everything.")
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Training threads; none: all this process may use. Part of every key."
    )
    data: Data
    teacher: Teacher
    student: Student
    distill: Distill = Field(default_factory=lambda: Distill())
    compress: Compress = Field(default_factory=lambda: Compress())
    export: Export = Field(default_factory=lambda: Export())
    benchmark: Benchmark = Field(default_factory=lambda: Benchmark())
    gate: Gate


def bundled(name: str) -> Path:
    """The path of a recipe that ships with edgestill, such as ``digits``."""
    return Path(__file__).with_name("recipes") / f"{name}.toml"


def load(path: Path, overrides: Iterable[str] = (), *, seed: int | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: the TOML file.
        overrides: ``key.path=value`` texts; a value is TOML, a bare word is taken as a string.
        seed: replaces the recipe's own seed where given.

    Raises:
        RecipeError: the file, a key or a value is wrong; names which, and what was expected.
    """
    tree = _read(path)
    if seed is not None:
        tree["seed"] = seed
    return _anchored(parse(tree, where=str(path), overrides=overrides), path.parent.resolve())


def parse(tree: Mapping[str, Any], *, where: str, overrides: Iterable[str] = ()) -> Recipe:
    """Make a recipe of a parsed tree, as TOML or JSON gives it.

    Raises:
        RecipeError: a key or a value is wrong; ``where`` names the file.
    """
    changed = copy.deepcopy(dict(tree))
    for text in overrides:
        _override(changed, text)
    try:
        return Recipe.model_validate(_tuples(changed))
    except ValidationError as error:
        raise _refusal(error, where) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            "no such file", where=str(path), fix="write one with: edgestill init DIR"
        ) from None
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"not UTF-8 ({error})", where=str(path)) from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        raise RecipeError(f"not valid TOML: {error}", where=str(path)) from None


def _override(tree: dict[str, Any], text: str) -> None:
    key, mark, value = text.partition("=")
    key = key.strip()
    if not mark or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", key):
        raise RecipeError(
            found=repr(text), expected="key=value, such as distill.temperature=2", where="--set"
        )
    try:
        parsed, *more = tomllib.loads(f"value = {value.strip()}").values()
    except (ValueError, RecursionError):
        parsed, more = value.strip(), []
    if more:
        raise RecipeError(found=repr(text), expected="one key and one value", where="--set")
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise RecipeError(found=f"{key!r}", expected=f"{parent!r} to be a table", where="--set")
    tree[leaf] = parsed


def _tuples(node: Any) -> Any:
    """Lists as tuples and whole numbers as they are: strict models take no list for a tuple."""
    if isinstance(node, Mapping):
        return {key: _tuples(value) for key, value in node.items()}
    if isinstance(node, list):
        return tuple(_tuples(value) for value in node)
    return node


def _anchored(recipe: Recipe, folder: Path) -> Recipe:
    data, teacher = recipe.data, recipe.teacher
    kind, _, rest = data.source.partition(":")
    if kind == "npz" and rest:
        file = _below(folder, Path(rest), "data.source")
        data = data.model_copy(update={"source": f"npz:{file}"})
    if teacher.weights is not None:
        file = _below(folder, teacher.weights, "teacher.weights")
        teacher = teacher.model_copy(update={"weights": file})
    return recipe.model_copy(update={"data": data, "teacher": teacher})


def _below(folder: Path, path: Path, where: str) -> Path:
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise RecipeError(
            found=repr(str(path)), expected="a home that exists", where=where
        ) from None


def _refusal(error: ValidationError, where: str) -> RecipeError:
    """The first thing wrong, in our words: one line, one key, what to do."""
    problems = error.errors()
    # A misspelt key is also a missing one; what stands there is the better lead.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    path = [str(step) for step in problem["loc"]]
    key = ".".join(path) or "the recipe"
    place = f"{where}: {key}"
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return RecipeError(f"unknown key{more}", where=place, fix=fix)
    if problem["type"] == "missing":
        return RecipeError(f"missing{more}", where=place, fix=f"add it: {_hint(path)}")
    expected = _expected(problem) + more
    if isinstance(problem["input"], Mapping) and problem["type"] == "value_error":
        return RecipeError(f"expected {expected}", where=place)
    return RecipeError(found=_short(problem["input"]), expected=expected, where=place)


def _expected(problem: Mapping[str, Any]) -> str:
    context: Mapping[str, Any] = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context["error"])
    if problem["type"] == "string_pattern_mismatch":
        return f"text that matches {context['pattern']}"
    if problem["type"] == "model_type":
        return "a table"
    text = str(problem["msg"])
    text = re.sub(r"^Input should be ", "", text).replace("valid integer", "whole number")
    return text[:1].lower() + text[1:]


def _keys_beside(path: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Recipe
    for step in path:
        annotation = model.model_fields[step].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _hint(path: Sequence[str]) -> str:
    examples = {
        "name": 'name = "my-model"',
        "data": '[data] with source = "npz:my.npz"',
        "data.source": 'source = "npz:my.npz"',
        "teacher": '[teacher] with model = "resnet20"',
        "teacher.model": 'model = "resnet20"',
        "student": '[student] with model = "resnet8"',
        "student.model": 'model = "resnet8"',
        "gate": "[gate] with min_accuracy = 0.9",
    }
    return examples.get(".".join(path), path[-1])


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def dump(recipe: Recipe) -> str:
    """A recipe as TOML that ``load`` reads back as the same recipe."""
    return toml(recipe.model_dump(mode="json", exclude_none=True))


def toml(tree: Mapping[str, Any]) -> str:
    """A recipe's tree as TOML: sections of plain values, a table inside a section on one line.

    A plain value looks the same in JSON and in TOML.
    """
    lines = [_line(key, value) for key, value in tree.items() if not isinstance(value, dict)]
    for section, part in tree.items():
        if isinstance(part, dict):
            lines += ["", f"[{section}]", *(_line(key, value) for key, value in part.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_line(key, inner) for key, inner in value.items()) + " }"
    # TOML, unlike JSON, wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON Schema of a recipe or a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
