"""Every command, and what it prints."""
