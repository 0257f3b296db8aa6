"""A bundle: what is handed over of a run, with all that is needed to use it and to check it."""
