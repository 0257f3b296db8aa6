"""A child process for a model that is not trusted or does not fit in ours."""
