"""Outputs of a fair model and the truth, of every task.

outputs, truth = SAMPLES["regression"]()
"""

import numpy as np


def classified(n=300, classes=5, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    logits = random.standard_normal((n, classes)) + 1.5 * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


def tagged(n=300, labels=4, seed=0, *, prevalence=0.25, gap=1.5):
    random = np.random.default_rng(seed)
    holds = (random.random((n, labels)) < prevalence).astype(np.float32)
    outputs = random.standard_normal((n, labels)) + gap * holds - gap / 2
    return outputs.astype(np.float32), holds


def numbered(n=200, seed=0):
    random = np.random.default_rng(seed)
    truth = random.standard_normal((n, 3)) * [1.0, 10.0, 0.1] + [0.0, 1e4, 5.0]
    return truth + random.standard_normal((n, 3)) * [0.3, 8.0, 0.2], truth


def embedded(n=200, width=16, noise=1.0, seed=0):
    random = np.random.default_rng(seed)
    teacher = random.standard_normal((n, width)).astype(np.float32)
    return (teacher + noise * random.standard_normal((n, width))).astype(np.float32), teacher


def decided(kind):
    """Outputs beside a teacher's logits of the same samples."""

    def drawn(n=300, noise=1.0, seed=0):
        outputs, _ = kind(n=n, seed=seed)
        teacher = outputs + noise * np.random.default_rng(7).standard_normal(outputs.shape)
        return outputs, teacher.astype(np.float32)

    return drawn


SAMPLES = {
    "classification": classified,
    "multi-label": tagged,
    "regression": numbered,
    "embedding": embedded,
    "class-logits": decided(classified),
    "label-logits": decided(tagged),
}
