"""Everything that runs on a device, and all that is copied to it: numpy, a runtime, errors."""
