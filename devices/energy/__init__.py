"""Energy: power meters and sensors, and the declared model where nothing can be read."""
