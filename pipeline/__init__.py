"""The pipeline: from a recipe to a judged, measured student."""
