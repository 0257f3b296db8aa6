"""What a measuring process does: one module a kind of job."""
