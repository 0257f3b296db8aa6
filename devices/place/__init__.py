"""How a job gets to a device: this machine, ssh, adb."""
