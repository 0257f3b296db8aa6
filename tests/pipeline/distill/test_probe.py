"""The new last layer is fitted on the features before it, as scikit-learn would fit it."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill import probe
from edgestill.pipeline.distill.batches import Batch
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.loop import evaluate
from edgestill.pipeline.distill.probe import MOST_SAMPLES, fit_head
from edgestill.pipeline.models.deployed import Deployed
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from small_trainings import DATA, SHORT, copied, drawn, fresh
from torch import nn

COLUMNS = DATA.model_copy(update={"layout": "table", "sample_shape": (5,)})
pytestmark = pytest.mark.usefixtures("one_thread")


SCALES = np.array((1.0, 10.0, 0.1, 3.0, 1.0))


def columns(samples=200, seed=0, answers=None):
    """Five columns of different scales, and a class, flags or numbers that depend on them."""
    random = np.random.default_rng(seed)
    standard = random.normal(size=(samples, 5))
    mixed = standard @ np.random.default_rng(7).normal(size=(5, 3))
    mixed += random.normal(size=mixed.shape)
    x = (standard * SCALES + 2.0).astype(np.float32)
    if answers == "flags":
        return Arrays(x, (mixed > 0.0).astype(np.float32))
    if answers == "numbers":
        return Arrays(x, (1000.0 + 50.0 * mixed).astype(np.float32))
    return Arrays(x, mixed.argmax(1))


class Ends(nn.Module):
    """A model of a last layer, whose features are the samples themselves, and how it is called."""

    def __init__(self, last, called=lambda last, x: last(x)):
        super().__init__()
        self.last, self.called = last, called

    def forward(self, x):
        return self.called(self.last, x)


def around(last, answers=((), ()), **called):
    return Deployed(Ends(last, **called), "table", (0.0,), (1.0,), answers)


def standardized(train, other):
    """Columns of mean 0 and deviation 1 on train, and one of ones, whose weight is the bias."""
    mean, deviation = train.mean(0), train.std(0)
    return np.column_stack([(other - mean) / deviation, np.ones(len(other))])


def by_logistic_regression(penalty, samples):
    """Scikit-learn's, which penalizes half the squared weights over the sum of the losses."""
    return LogisticRegression(
        C=1.0 / (2.0 * samples * penalty), tol=1e-8, max_iter=1000, fit_intercept=False
    )


def fitted(model, train, validation, data=COLUMNS, head="last", schedule=SHORT):
    return fit_head(model, head, train, validation, data, schedule).samples


@pytest.fixture(params=[0.1, 1e-3])
def penalty(request, monkeypatch):
    """The only one that is tried."""
    monkeypatch.setattr(probe, "_PENALTIES", (request.param,))
    return request.param


def test_classes_are_fitted_as_by_logistic_regression(penalty):
    train, validation = columns(), columns(300, 1)
    model = around(nn.Linear(5, 3))
    assert fitted(model, train, validation) == 200
    x, held = (standardized(train.x, one) for one in (train.x, validation.x))
    theirs = by_logistic_regression(penalty, len(x)).fit(x, train.y)
    wanted = log_loss(validation.y, theirs.predict_proba(held))
    assert evaluate(model, validation, COLUMNS)[0] == pytest.approx(wanted, abs=1e-4)


def test_numbers_are_fitted_in_their_units_as_by_ridge_regression(penalty):
    train, validation = columns(answers="numbers"), columns(300, 1, "numbers")
    mean, deviation = train.y.mean(0), train.y.std(0)
    data = COLUMNS.model_copy(
        update={
            "task": "regression",
            "labels": (),
            "answer_mean": tuple(mean.tolist()),
            "answer_std": tuple(deviation.tolist()),
            "units": ("", "", ""),
        }
    )
    model = around(nn.Linear(5, 3), (data.answer_mean, data.answer_std))
    assert fitted(model, train, validation, data) == 200
    with torch.no_grad():
        outputs = model(torch.from_numpy(validation.x)).numpy()
    x, held = (standardized(train.x, one) for one in (train.x, validation.x))
    # The mean over three numbers of a sample: a penalty counts three times as much.
    theirs = Ridge(3.0 * len(x) * penalty, fit_intercept=False)
    wanted = theirs.fit(x, (train.y - mean) / deviation).predict(held)
    assert (outputs - mean) / deviation == pytest.approx(wanted, abs=1e-3)


def test_several_classes_at_once_are_fitted_as_by_one_logistic_regression_each(penalty):
    data = COLUMNS.model_copy(update={"task": "multi-label", "counts": {"train": (99, 99, 99)}})
    train, validation = columns(answers="flags"), columns(300, 1, "flags")
    model = around(nn.Linear(5, 3))
    assert fitted(model, train, validation, data) == 200
    x, held = (standardized(train.x, one) for one in (train.x, validation.x))
    # The mean over three flags of a sample: a penalty counts three times as much.
    theirs = by_logistic_regression(3.0 * penalty, len(x))
    says = [theirs.fit(x, y).predict_proba(held) for y in train.y.T]
    wanted = np.mean([log_loss(y, p) for y, p in zip(validation.y.T, says, strict=True)])
    assert evaluate(model, validation, data)[0] == pytest.approx(wanted, abs=1e-4)


def test_the_largest_penalty_is_chosen_that_is_as_good_as_the_best_within_an_error():
    train = columns(2000)
    for held in (20, 4000):
        validation = columns(held, 1)
        model = around(nn.Linear(5, 3))
        assert fitted(model, train, validation) == 2000
        found, tried = evaluate(model, validation, COLUMNS)[0], []
        x, other = (standardized(train.x, one) for one in (train.x, validation.x))
        for penalty in probe._PENALTIES:
            theirs = by_logistic_regression(penalty, len(x)).fit(x, train.y)
            losses = -np.log(theirs.predict_proba(other)[np.arange(held), validation.y])
            tried.append((losses.mean(), losses.std() / held**0.5))
        best, error = min(tried)
        chosen = next(loss for loss, _ in tried if loss <= best + error)
        assert found == pytest.approx(chosen, abs=1e-4)
        assert held > 20 or chosen > best + 0.01, "the rule makes no difference here"


def test_a_layer_without_a_bias_is_fitted_without_one():
    last = nn.Linear(5, 3, bias=False)
    train, validation = columns(), columns(300, 1)
    model = around(last)
    before = evaluate(model, validation, COLUMNS)[0]
    assert fitted(model, train, validation) == 200
    assert last.bias is None
    assert evaluate(model, validation, COLUMNS)[0] < min(before, np.log(3.0))


def test_the_loss_of_a_layer_that_knows_nothing_is_told():
    found = fit_head(around(nn.Linear(5, 3)), "last", columns(), columns(300, 1), COLUMNS, SHORT)
    assert found.untaught == pytest.approx(np.log(3.0), abs=1e-6)


def test_only_the_last_layer_changes_and_it_repeats():
    results = []
    for _ in range(2):
        model = fresh("resnet8")
        before = copied(model)
        assert fitted(model, drawn(), drawn(60, 1), DATA, "linear") == 96
        after = copied(model)
        moved = {key for key in after if not torch.equal(after[key], before[key])}
        assert moved == {"backbone.linear.weight", "backbone.linear.bias"}
        results.append(after)
    assert all(torch.equal(value, results[1][key]) for key, value in results[0].items())


def test_samples_without_a_label_are_left_out():
    train, validation = columns(), columns(300, 1)
    more = Arrays(np.concatenate([train.x, 1e6 * train.x]), train.y)
    models = around(nn.Linear(5, 3)), around(nn.Linear(5, 3))
    assert [fitted(m, of, validation) for m, of in zip(models, (train, more), strict=True)] == [
        200,
        200,
    ]
    one, other = map(copied, models)
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_few_samples_that_can_be_told_apart_give_no_huge_weights():
    # Without a penalty the weights of such samples grow without end.
    train = Arrays(columns(6).x, np.array([0, 0, 1, 1, 2, 2]))
    model = around(nn.Linear(5, 3))
    assert fitted(model, train, columns(40, 1)) == 6
    weights = model.backbone.last.weight.detach().numpy() * train.x.std(0)
    assert 0.01 < np.abs(weights).max() < 1.0


@pytest.mark.parametrize("noise", [0.0, 3e-5])
def test_a_column_that_hardly_changes_gets_no_huge_weight(noise):
    train, validation = columns(), columns(300, 1)
    # Some such columns have a mean that rounding moves away from them.
    train.x[:, 2] = 0.1 + noise * train.x[:, 2]
    model = around(nn.Linear(5, 3))
    assert fitted(model, train, validation) == 200
    assert model.backbone.last.weight[:, 2].abs().max() < 1.0
    validation.x[:, 2] = 0.1
    assert evaluate(model, validation, COLUMNS)[1] > 0.5


def test_a_class_without_a_sample_keeps_a_bias_that_a_training_can_mend():
    train, validation = columns(), columns(300, 1)
    some = train.y != 2
    model = around(nn.Linear(5, 3))
    fitted(model, Arrays(train.x[some], train.y[some]), validation)
    assert model.backbone.last.bias.min() > -3.0


def test_a_fit_that_is_no_better_than_zeros_is_left():
    train, validation = columns(), columns(300, 1)
    turned = Arrays(validation.x, (validation.y + 1) % 3)
    model = around(nn.Linear(5, 3))
    before = copied(model)
    assert fitted(model, train, turned) == 0
    assert torch.equal(model.backbone.last.weight, before["backbone.last.weight"])


def test_features_that_are_not_finite_leave_it_random():
    train = columns()
    train.x[3, 1] = np.inf
    model = around(nn.Linear(5, 3))
    before = copied(model)
    assert fitted(model, train, columns(300, 1)) == 0
    assert torch.equal(model.backbone.last.weight, before["backbone.last.weight"])


def test_of_many_samples_a_part_is_taken(monkeypatch):
    assert MOST_SAMPLES > 1000
    monkeypatch.setattr(probe, "MOST_SAMPLES", 50)
    assert fitted(around(nn.Linear(5, 3)), columns(), columns(300, 1)) == 50


@pytest.mark.parametrize(
    ("last", "called"),
    [
        (nn.Linear(5, 3), lambda last, x: last(x) * 2.0),
        (nn.Linear(5, 3), lambda last, x: torch.relu_(last(x))),
        (nn.Linear(5, 3), lambda last, x: last(x.unsqueeze(1)).mean(1)),
        (nn.Conv1d(5, 3, 1), lambda last, x: last(x.unsqueeze(2)).squeeze(2)),
    ],
    ids=["something behind it", "written over", "several vectors a sample", "a convolution"],
)
def test_another_end_of_a_model_is_left_as_it_is(last, called):
    model = around(last, called=called)
    before = copied(model)
    assert fitted(model, columns(), columns(300, 1)) == 0
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_layer_that_is_called_by_keyword_is_fitted():
    model = around(nn.Linear(5, 3), called=lambda last, x: last(input=x))
    assert fitted(model, columns(), columns(300, 1)) == 200


def test_a_task_without_labels_leaves_it_random():
    data = COLUMNS.model_copy(update={"task": "embedding", "labels": ()})
    model = around(nn.Linear(5, 3))
    before = copied(model)
    assert fitted(model, Arrays(columns().x, np.empty((200, 0))), columns(300, 1), data) == 0
    assert torch.equal(model.backbone.last.weight, before["backbone.last.weight"])


@pytest.mark.parametrize("changed", [{"label_smoothing": 0.3}, {"class_weights": True}])
def test_smoothing_and_weights_of_classes_are_those_of_the_training(changed, monkeypatch):
    monkeypatch.setattr(probe, "_PENALTIES", (1e-4,))
    train, validation = columns(), columns(300, 1)
    rare = (train.y != 2) | (np.arange(200) % 5 == 0)
    train = Arrays(train.x[rare], train.y[rare])
    counts = tuple(np.bincount(train.y, minlength=3).tolist())
    data = COLUMNS.model_copy(update={"rows": {"train": len(rare)}, "counts": {"train": counts}})
    other = SHORT.model_copy(update=changed)
    losses = []
    for schedule in (SHORT, other):
        model = around(nn.Linear(5, 3))
        fitted(model, train, validation, data, schedule=schedule)
        with torch.no_grad():
            outputs = model(torch.from_numpy(train.x))
            batch = Batch(outputs, torch.from_numpy(train.y), np.arange(len(train.y)), 0)
            losses.append(hard_labels(data, other)(outputs, batch).item())
    assert losses[1] < losses[0]
