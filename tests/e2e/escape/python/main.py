"""The input names an attempt; the answer says what it got, or the error that refused it."""

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

import call


def note(text):
    # Signal handlers say something, too: `print` can't be interrupted by itself.
    os.write(2, f"{text}\n".encode())


def read(given):
    with open(given["path"], "rb") as file:
        return file.read(200).decode(errors="replace")


def look(given):
    return " ".join(os.listdir(given["path"])) or "nothing"


def link(given):
    """By a link of its own making."""
    path = os.path.join(tempfile.mkdtemp(), "link")
    os.symlink(given["path"], path)
    return read({"path": path})


def inherited(_):
    """Through what was left open."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}"):
            return os.readlink(f"/proc/self/fd/{fd}")
    raise OSError(errno.EBADF, "nothing is open")


def write(given):
    with open(given["path"], "w") as file:
        return str(file.write("written"))


def publish(given):
    """Hands in a link as a file that it wrote."""
    os.symlink(given["path"], "/work/link")
    return "link"


def processes(given):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if given["mark"].encode() in file.read():
                    return pid
        except OSError:
            pass
    raise ProcessLookupError(errno.ESRCH, "not seen")


def kill(given):
    os.kill(given["pid"], signal.SIGKILL)
    return "killed"


def heard(connection):
    connection.settimeout(5)
    data = connection.recv(200)
    if not data:
        raise ConnectionResetError(errno.ECONNRESET, "closed")
    return data.decode(errors="replace")


def tcp(given):
    with socket.create_connection((given.get("host", "127.0.0.1"), given["port"]), 5) as connection:
        return heard(connection)


def udp(given):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", given["port"]))
        connection.send(b"hello")
        return heard(connection)


def dns(given):
    """Asks a name server at that port for an address (RFC 1035)."""
    query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\6secret\7example\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", given["port"]))
        connection.send(query)
        connection.settimeout(5)
        return socket.inet_ntoa(connection.recv(200)[-4:])


def local(given):
    """A socket in the file system, or, where its name begins with a NUL, in none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(given["path"])
        return heard(connection)


def fetch(given):
    with urllib.request.urlopen(given["url"], timeout=10) as answer:
        return answer.read(200).decode()


def system(given):
    return call.tried(given["call"])


def started(given, **more):
    return subprocess.Popen(["sleep", "3600", given["mark"]], **more)


def forks(given):
    for _ in range(given["count"]):
        started(given)
    return f"{given['count']} processes"


def left(given):
    """Children that outlive it, in a session of their own, deaf, and with its pipes in hand."""
    for _ in range(3):
        started(given, start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    return "left"


def memory(given):
    held = [b"x" * (1 << 20) for _ in range(given["mb"])]
    return f"{len(held)} MiB"


def fill(given):
    """Files of so many KiB, until there is no more room."""
    block = b"x" * (given["kb"] << 10)
    for n in range(given["count"]):
        with open(os.path.join(given["path"], f"file-{n}"), "wb", buffering=0) as file:
            if file.write(block) < len(block):
                raise OSError(errno.ENOSPC, "no more room")
    return f"{given['count']} files"


def output(given):
    started(given)
    while True:
        sys.stdout.write("x" * 65536)


def lines(given):
    started(given)
    while True:
        note("x" * 1000)


def sleep(given):
    started(given)
    note("asleep")
    time.sleep(3600)


def spin(given):
    started(given)
    note("busy")
    while True:
        pass


def stubborn(given):
    """Heeds no signal that can be ignored."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, lambda number, _: note(f"signal {number} is ignored"))
    started(given)
    note("stubborn")
    while True:
        # A signal just before a sleep is handled after it.
        time.sleep(0.1)


given = json.load(sys.stdin)
try:
    answer = {"escaped": True, "how": globals()[given["attempt"]](given)}
except OSError as error:
    error = getattr(error, "reason", error)
    answer = {"escaped": False, "how": errno.errorcode.get(getattr(error, "errno", None), str(error))}
except MemoryError:
    answer = {"escaped": False, "how": "ENOMEM"}
json.dump(answer, sys.stdout)
