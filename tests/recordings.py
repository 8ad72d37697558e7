"""What a terminal shows while a command runs."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parent.parent


def start(*arguments: str, term: str = "xterm-256color", **streams: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from gdcli.cli.app import main; main()", *arguments]
    names = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    environment = names | {"PYTHONPATH": str(ROOT), "TERM": term}
    return subprocess.Popen(command, env=environment, **streams)


def recorded(*arguments: str, term: str = "xterm-256color") -> tuple[int, str]:
    """Run on a pseudo-terminal of 80x24; return the exit code and everything that came out."""
    main, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = start(*arguments, term=term, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    while select.select([main], [], [], 60)[0]:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    return process.wait(60), shown.decode().replace("\r\n", "\n")
