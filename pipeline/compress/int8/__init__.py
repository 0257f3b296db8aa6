"""int8 by calibration."""
