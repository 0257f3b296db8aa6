"""Processes: starting one for a job, limits on it, errors sent back from it."""
