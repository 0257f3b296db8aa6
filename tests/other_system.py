"""Children of tests that see another operating system than this one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_POSIX_ONLY = (
    *("fork", "forkpty", "killpg", "uname", "getuid", "geteuid", "getgid", "setsid", "sysconf"),
    *("posix_fallocate", "posix_fadvise", "sched_getaffinity", "sched_setaffinity", "getloadavg"),
    *("nice", "chown", "mkfifo", "statvfs", "openpty", "getpgid", "setpgid", "sched_yield", "wait"),
    *("O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "EX_OK", "WNOHANG", "memfd_create"),
)
_LINUX_ONLY = (
    *("posix_fallocate", "posix_fadvise", "sched_getaffinity", "sched_setaffinity"),
    *("memfd_create", "sched_getparam", "sched_setscheduler", "copy_file_range", "eventfd"),
)
SYSTEMS = {
    "Windows": {
        "name": "Windows",
        "platform": "win32",
        "os_name": "nt",
        "machine": "AMD64",
        "os": _POSIX_ONLY,
        "signal": ["SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGUSR1", "SIGALRM", "pthread_kill"],
        "modules": ["fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"],
    },
    "macOS": {
        "name": "Darwin",
        "platform": "darwin",
        "os_name": "posix",
        "machine": "arm64",
        "os": _LINUX_ONLY,
        "signal": [],
        "modules": [],
    },
}


def environment(folder: Path, system: str) -> dict[str, str]:
    """The environment of a process that sees a system; the folder is for what makes it so."""
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("other_system_site.py"), folder / "sitecustomize.py")
    (folder / "system.json").write_text(json.dumps(SYSTEMS[system]))
    empty = folder / "no programs"
    empty.mkdir(exist_ok=True)
    path = os.pathsep.join((str(folder), str(Path(__file__).parent)))
    return {**os.environ, "PYTHONPATH": path, "PATH": str(empty), "PYTHONWARNINGS": "default"}


def run(folder: Path, system: str, *arguments: str, **given) -> subprocess.CompletedProcess:
    """Run Python with these arguments as a process of another system."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(folder, system),
        capture_output=True,
        text=True,
        **given,
    )
