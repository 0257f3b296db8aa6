"""One module a runtime."""
