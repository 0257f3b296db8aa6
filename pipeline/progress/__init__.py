"""What a long step says of itself: what stages report, and how a terminal or a log shows it."""

from .on_console import OnConsole
from .reported import Progress, Silent, Steps, measuring, numbered

__all__ = ["OnConsole", "Progress", "Silent", "Steps", "measuring", "numbered"]
