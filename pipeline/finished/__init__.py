"""What is done with a finished model, whoever made it: quantized, compared, measured, exported."""
