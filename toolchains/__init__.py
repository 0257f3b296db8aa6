"""Environments of their own for converters and runtimes whose requirements conflict with ours.

    >>> python_with("openvino")                                     # doctest: +SKIP
    PosixPath('/home/me/.cache/edgestill/toolchains/openvino/bin/python')

`edgestill toolchains setup NAME` makes one from the pinned requirements beside this module. What
needs it runs in a child process of its interpreter. An interpreter that has the packages already,
ours included, is used as it is.
"""

from .interpreter import command, environment_of, folder, missing, python_of, python_with, variables
from .table import COMMAND, TOOLCHAINS, Toolchain

__all__ = [
    "COMMAND",
    "TOOLCHAINS",
    "Toolchain",
    "command",
    "environment_of",
    "folder",
    "missing",
    "python_of",
    "python_with",
    "variables",
]
