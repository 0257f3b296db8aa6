"""How many steps Python takes in edgestill: a measure of work that no other load disturbs."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
_OWN = tuple(f"{ROOT}/{folder}/" for folder in ("devices", "exporters", "pipeline"))


def steps(call):
    """Lines of edgestill that a call runs, each turn of a comprehension among them."""
    count = 0

    def line(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return line

    def entered(frame, _event, _argument):
        return line if frame.f_code.co_filename.startswith(_OWN) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
