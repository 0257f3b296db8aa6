"""``python -m edgestill`` and the ``edgestill`` command."""

import gc

# Imports make many objects that live on. Looking through them for garbage, as often as Python does
# by default, takes a tenth of the time of a build with nothing to do.
gc.set_threshold(20_000)

from .pipeline.commands.cli import main  # noqa: E402 - after the threshold, which is for it

if __name__ == "__main__":
    main()
