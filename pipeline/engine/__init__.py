"""Keys, the store, and what runs the flow."""
