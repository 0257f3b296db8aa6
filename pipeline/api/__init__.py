"""edgestill from Python: one file a function that users call. The commands call the same ones.

A new function is a file here, a result that is a ``finished.result.Result``, and a line in the
table of the package's ``__init__.py``. Nothing here knows a command line.
"""
