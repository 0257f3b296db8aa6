"""What is known of a device, and how it is reached."""
