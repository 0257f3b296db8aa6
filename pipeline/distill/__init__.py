"""Teacher, soft targets, student: the training half of the pipeline."""
