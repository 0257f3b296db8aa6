"""The machine that a process runs on: CPU, clock, heat, load, limits."""
