"""Make a Python process see another operating system; copied onto its path as `sitecustomize.py`.

What modules of edgestill import as `os`, `sys`, `signal`, `ctypes` and `platform` are copies that
lack what the system of `system.json` lacks. Libraries keep the real ones: that they run on other
systems is tested by their makers. Nothing below `/proc` and `/sys` can be opened by anyone, and as
on Windows no file can be renamed or removed while this process has it open or mapped.
"""

import builtins
import contextlib
import importlib
import json
import os
import sys
import types
from pathlib import Path

SYSTEM = json.loads(Path(__file__).with_name("system.json").read_text())
MINE = ("edgestill",)
HIDDEN = ("/proc", "/sys/", "/etc/os-release")
GONE = set(SYSTEM["modules"])
_real_import = builtins.__import__
_looking = []


class _Copy(types.ModuleType):
    """A module without some names and with others."""

    def __init__(self, module, without, given):
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(
            {key: value for key, value in vars(module).items() if key not in without}, **given
        )


class _NoLibrary:
    def __init__(self, name, *rest, **named):
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        raise OSError(f"no library {name}")


class _OtherLibrary:
    """macOS's libSystem: it can be reached, and has none of glibc's own functions."""

    def __init__(self, name, *rest, **named):
        if name is not None:
            raise OSError(f"no library {name}")

    def __getattr__(self, name):
        raise AttributeError(name)


_windows = SYSTEM["platform"] == "win32"
_uname = types.SimpleNamespace(system=SYSTEM["name"], release="1.0", machine=SYSTEM["machine"])


def _make(name):
    module = _real_import(name)
    if name == "os":
        given = {"name": SYSTEM["os_name"]}
        return _Copy(module, SYSTEM["os"], given)
    if name == "sys":
        copied = _Copy(module, (), {"platform": SYSTEM["platform"]})
        # What is redirected later is looked up in the real one.
        copied.__class__ = type("_Sys", (_Copy,), {"__getattr__": lambda _, key: getattr(sys, key)})
        for key in ("stdin", "stdout", "stderr", "argv", "path"):
            del copied.__dict__[key]
        copied.__class__.__setattr__ = lambda _, key, value: setattr(sys, key, value)
        return copied
    if name == "signal":
        return _Copy(module, SYSTEM["signal"], {})
    if name == "platform":
        return _Copy(module, (), {"uname": lambda: _uname, "machine": lambda: _uname.machine})
    return _Copy(module, (), {"CDLL": _NoLibrary if _windows else _OtherLibrary})


_copies = {}


def _import(name, scope=None, local=None, fromlist=(), level=0):
    importer = (scope or {}).get("__name__", "")
    if level == 0 and (importer.partition(".")[0] in MINE or importer == "__main__"):
        if name in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in ("os", "sys", "signal", "ctypes", "platform"):
            if name not in _copies:
                _copies[name] = _make(name)
            return _copies[name]
    return _real_import(name, scope, local, fromlist, level)


def _import_module(name, package=None, real=None):
    caller = sys._getframe(2).f_globals.get("__name__", "")
    if caller.partition(".")[0] in MINE and name in GONE:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, package)


def _hide(event, arguments):
    if event in ("open", "os.listdir", "os.scandir"):
        _check(arguments[0])


def _check(path):
    if isinstance(path, bytes | os.PathLike):
        path = os.fsdecode(path)
    if isinstance(path, str) and path.startswith(HIDDEN) and not _looking:
        raise FileNotFoundError(2, "No such file or directory", path)


def _stat(path, *arguments, **named):
    _check(path)
    return _real_stat(path, *arguments, **named)


_real_stat, os.stat = os.stat, _stat


def _in_use(path):
    """What this process has open or mapped at a path or below it."""
    path = os.path.abspath(path)  # noqa: PTH100 - a link is removed itself, not where it leads
    _looking.append(path)
    try:
        held = set()
        for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a Path would open more
            with contextlib.suppress(OSError):
                held.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        maps = Path("/proc/self/maps").read_text().splitlines()
        held.update(line.split(None, 5)[5].strip() for line in maps if "/" in line)
    finally:
        _looking.pop()
    return sorted(one for one in held if one == path or one.startswith(path + "/"))


def _refuse(real, paths):
    def call(*arguments, **named):
        if not named.get("dir_fd") and not named.get("src_dir_fd"):
            for path in arguments[:paths]:
                if isinstance(path, str | os.PathLike) and (held := _in_use(os.fspath(path))):
                    raise PermissionError(13, f"in use by this process: {held}", os.fspath(path))
        return real(*arguments, **named)

    return call


sys.addaudithook(_hide)
builtins.__import__ = _import
_real_import_module = importlib.import_module
importlib.import_module = lambda name, package=None: _import_module(
    name, package, _real_import_module
)
if _windows:
    for name, paths in (("rename", 2), ("replace", 2), ("unlink", 1), ("remove", 1), ("rmdir", 1)):
        setattr(os, name, _refuse(getattr(os, name), paths))
