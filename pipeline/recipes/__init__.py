"""The recipes that ship with edgestill."""
