"""What outputs mean for a task: metrics, intervals, fidelity."""
