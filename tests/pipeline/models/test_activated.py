"""A module with an activation behind it gives probabilities; without one it is itself."""

import torch
from edgestill.pipeline.models.activated import activated

X = torch.tensor([[2.0, -1.0, 0.5], [0.0, 30.0, -30.0]])


def test_a_softmax_adds_up_to_one_over_a_sample():
    found = activated(torch.nn.Identity(), "softmax")(X)
    torch.testing.assert_close(found.sum(1), torch.ones(2))
    torch.testing.assert_close(found, torch.exp(X) / torch.exp(X).sum(1, keepdim=True))


def test_a_sigmoid_is_of_each_output():
    found = activated(torch.nn.Identity(), "sigmoid")(X)
    torch.testing.assert_close(found, 1 / (1 + torch.exp(-X)))


def test_without_an_activation_a_model_is_itself():
    model = torch.nn.Identity()
    assert activated(model, None) is model
