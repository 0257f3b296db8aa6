"""Instruction counts: callgrind on this machine, emulated ARM cores elsewhere."""
