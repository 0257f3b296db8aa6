"""Time by operator, roofline, prediction for another device."""
