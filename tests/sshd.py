"""An ssh server on the loopback address, started as an ordinary program."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def find():
    """The path of sshd; where there is none, a skip, but in CI a failure."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    missing += [] if server else ["sshd"]
    if missing:
        said = f"no {' and no '.join(missing)}: install openssh-server and openssh-client"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return server


@contextmanager
def serve(folder):
    """Run sshd; yields the `[reach]` table that leads to it, and the process id of the server."""
    program = find()
    for name in ("host_key", "user_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(
        f'ListenAddress 127.0.0.1\nPort {port}\nHostKey "{folder}/host_key"\n'
        f'AuthorizedKeysFile "{folder}/authorized_keys"\nPidFile none\nUsePAM no\nStrictModes no\n'
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    key = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "-f", folder / "sshd_config", "-D", "-e"],
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_for(server, port, folder / "sshd.log")
        table = {
            "via": "ssh",
            "host": "127.0.0.1",
            "port": port,
            "user": getpass.getuser(),
            "identity": str(folder / "user_key"),
            "known_hosts": str(folder / "known_hosts"),
            "python": sys.executable,
        }
        yield table, server.pid
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(server, port, log):
    for _ in range(100):
        if server.poll() is not None:
            pytest.fail(f"sshd ended: {log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd does not listen")
