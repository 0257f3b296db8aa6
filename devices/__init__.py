"""What a device is, how a job gets there, what is measured there and what may be concluded."""
