"""A finished run for tracking tools: MLflow, TensorBoard."""
