"""One file a runtime: how it opens a model, what the model takes, what its options mean."""
