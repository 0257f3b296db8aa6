"""``python -m edgestill`` and the ``edgestill`` command."""

import gc
import os
import signal
import sys
from typing import NoReturn

# Imports make many objects that live on. Looking through them for garbage, as often as Python does
# by default, takes a tenth of the time of a build with nothing to do.
gc.set_threshold(20_000)

_ENVIRONMENT, _BUG, _INTERRUPTED = 4, 70, 130


def main() -> NoReturn:
    """Run the command line.

    Python ends with 1 where an import fails, which would mean "not ready".
    """
    try:
        from .pipeline.commands.cli import main as run
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)
    except (ImportError, OSError, MemoryError) as error:
        _leave(f"error: edgestill cannot be loaded ({error}); install it again", _ENVIRONMENT)
    except BaseException as error:  # noqa: BLE001 - any other code would be taken for a verdict
        _leave(f"error: edgestill cannot be loaded ({type(error).__name__}: {error})", _BUG)
    try:
        run()
    finally:
        # Ctrl-C again would break into what ends the process: torch cleans up, and would say so.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave(text: str, code: int) -> NoReturn:
    """Say why on stderr, if it can be written, and exit."""
    try:
        os.write(2, f"{ascii(text)[1:-1]}\n".encode())
    except OSError:
        sys.exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
