"""Budgets first: the student that fits is chosen before it is trained, then a ladder is climbed."""
