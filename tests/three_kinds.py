"""Small data sets of three kinds, each learnable and none trivial: windows, texts and images.

windows(folder), texts(folder), images(folder)    # write a file; RECIPES[kind] names it
"""

import numpy as np

KINDS = ("windows", "texts", "images")
STEPS, AXES = 64, 6
SIDE = 16

_BASE = """
name = "{kind}"
threads = 1
[data]
{source}
test = 0.4
validation = 0.2
calibration = 0.04
[teacher]
model = "{teacher}"
width = {width}
epochs = {epochs}
batch_size = 64
learning_rate = 0.01
[student]
model = "auto"
[distill]
epochs = {epochs}
batch_size = 64
learning_rate = 0.01
[compress]
variants = {variants}
{export}
[benchmark]
processes = 1
max_seconds = 0
seconds = 0.02
max_queries = 64
operators = false
footprint = false
[search]
processes = 1
finalists = 2
ladder = []
{search}
[gate]
min_accuracy = {accuracy}
"""
_FIELDS = {
    "windows": {
        "source": 'source = "npz:windows.npz"\nlayout = "tc"',
        "teacher": "conv1d3",
        "width": 16,
        "epochs": 6,
        "variants": '["fp32", "int8-static"]',
        "accuracy": 0.6,
        "search": 'models = ["conv1d2", "mlp1"]',
    },
    "texts": {
        "source": 'source = "text:texts.csv"',
        "teacher": "transformer2",
        "width": 64,
        "epochs": 8,
        "variants": '["fp32", "int8-dynamic"]',
        "accuracy": 0.6,
        "search": 'models = ["dan1", "dan2", "transformer1"]',
    },
    "images": {
        "source": 'source = "npz:images.npz"',
        "teacher": "resnet8",
        "width": 16,
        "epochs": 6,
        "variants": '["fp32", "int8-static"]',
        "accuracy": 0.6,
        "search": 'models = ["resnet8", "mobilenet3"]',
    },
}


def recipe(kind, **changed):
    """The text of a recipe whose student is to be chosen; it lacks the budget of resources."""
    return _BASE.format(kind=kind, **{"export": "", **_FIELDS[kind], **changed})


def write(kind, folder, number=1600):
    """The data of a kind, as the file that its recipe names."""
    {"windows": windows, "texts": texts, "images": images}[kind](folder, number)


def windows(folder, number):
    """Six axes of a worn sensor: still, walking, running and turning, at any phase and mounting."""
    random = np.random.default_rng(0)
    y = np.arange(number) % 4
    time = np.arange(STEPS) / 32.0
    x = random.normal(0.0, 0.5, (number, STEPS, AXES))
    for one, activity in zip(x, y, strict=True):
        gravity = random.normal(size=3)
        one[:, :3] += gravity / np.linalg.norm(gravity)
        hertz = {0: 0.0, 1: 1.8, 2: 3.0, 3: 1.8}[activity] * random.uniform(0.85, 1.15)
        swing = np.sin(2.0 * np.pi * (hertz * time + random.random()))
        axes = slice(3, 6) if activity == 3 else slice(0, 3)
        one[:, axes] += swing[:, None] * random.uniform(0.4, 0.9) * random.choice([-1, 1], 3)
    np.savez(folder / "windows.npz", x=x.astype(np.float32), y=y)


def texts(folder, number):
    """Messages of three subjects: a few telling words among many that say nothing."""
    random = np.random.default_rng(0)
    subjects = {name: [f"{name}{i}" for i in range(12)] for name in ("lamp", "door", "heat")}
    idle = [f"word{i}" for i in range(150)]
    lines = ["text,label"]
    for i in range(number):
        label = tuple(subjects)[i % 3]
        other = random.choice([name for name in subjects if name != label])
        told = [*random.choice(subjects[label], 3), random.choice(subjects[other])]
        words = [*random.choice(idle, random.integers(4, 16)), *told]
        lines.append(f"{' '.join(random.permutation(words))},{label}")
    (folder / "texts.csv").write_text("\n".join(lines))


def images(folder, number):
    """A bar, a square, a ring or a cross of any colour, anywhere on a noisy ground."""
    random = np.random.default_rng(0)
    y = np.arange(number) % 4
    x = random.normal(90.0, 35.0, (number, SIDE, SIDE, 3))
    row, column = np.mgrid[:7, :7] - 3
    shapes = (
        abs(row) <= 1,
        np.maximum(abs(row), abs(column)) <= 3,
        np.maximum(abs(row), abs(column)) == 3,
        abs(row) == abs(column),
    )
    for one, kind in zip(x, y, strict=True):
        top, left = random.integers(0, SIDE - 6, 2)
        one[top : top + 7, left : left + 7][shapes[kind]] += random.uniform(60.0, 140.0, 3)
    np.savez(folder / "images.npz", x=x.clip(0, 255).astype(np.uint8), y=y)
