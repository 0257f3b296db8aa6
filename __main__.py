"""``python -m edgestill`` and the ``edgestill`` command."""

from .pipeline.commands.cli import main

if __name__ == "__main__":
    main()
