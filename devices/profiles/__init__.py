"""The figures of a device, and the connection to it."""
