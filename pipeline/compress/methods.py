"""One table that names every method.

A method takes the fp32 file and writes a smaller one; it returns how many nodes it changed and what
the reader should know. Changing nothing is an error, never a green run.
"""

from collections.abc import Callable

from . import int8_dynamic, int8_mixed, int8_static
from .method import Effect, Job

METHODS: dict[str, Callable[[Job], Effect]] = {
    "int8-dynamic": int8_dynamic.quantize,
    "int8-static": int8_static.quantize,
    "int8-mixed": int8_mixed.quantize,
}
