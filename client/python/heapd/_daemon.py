"""A private daemon: found, started, and gone with the process that started it."""
from __future__ import annotations

import atexit
import os
import select
import shutil
import socket
import subprocess
import tempfile
import weakref
from pathlib import Path

from . import _heapd
from .errors import NotRunning

_HERE = Path(__file__).resolve().parent


def find_daemon() -> str:
    """The daemon's program: $HEAPD_DAEMON, one that is packaged, one in the build tree around, or one in PATH."""
    given = os.environ.get("HEAPD_DAEMON")
    if given:
        return given
    places = [_HERE / "bin" / "heapd", Path(__file__).parent.parent.parent / "bin" / "heapd"]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    found = shutil.which("heapd") or shutil.which("heapd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found:
        return found
    raise FileNotFoundError("no heapd program: set HEAPD_DAEMON to its path, or install it into PATH")


class Daemon:
    """A daemon of this process. Ends with stop(), with this object, or with this process, however that ends."""

    def __init__(self, memory_limit: int | str | None = None, options: tuple[str, ...] = (),
                 timeout: float = 10.0) -> None:
        self.folder = tempfile.mkdtemp(prefix="heapd-")
        self.path = os.path.join(self.folder, "socket")
        self.address = "unix:" + self.path
        command = [find_daemon(), "--listen", self.address, "--log-level", "error", *options]
        if memory_limit is not None:
            command += ["--memory-limit", str(memory_limit)]
        notify_path = os.path.join(self.folder, "notify")
        # The daemon ends when nobody has the other end of this pipe: even a killed process closes it.
        reader, self._keep = os.pipe()
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ready.bind(notify_path)
            self.process = subprocess.Popen(command + ["--until-eof"], stdin=reader, start_new_session=True,
                                            env={**os.environ, "NOTIFY_SOCKET": notify_path})
        except BaseException:
            ready.close()
            os.close(self._keep)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finally:
            os.close(reader)
        self.owner = os.getpid()
        self._finalizer = weakref.finalize(self, _stop, self.process, self._keep, self.folder, self.owner)
        # Before the finalizer, which is what daemon threads would see first.
        atexit.unregister(_heapd._set_exiting)
        atexit.register(_heapd._set_exiting)
        with ready:
            self._await(ready, timeout)
        os.unlink(notify_path)

    def _await(self, ready: socket.socket, timeout: float) -> None:
        """Until the daemon says that it serves: its socket is there a little before it listens."""
        death = os.pidfd_open(self.process.pid)
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        poll.register(death, select.POLLIN)
        try:
            said = {descriptor for descriptor, _ in poll.poll(timeout * 1000)}
        finally:
            os.close(death)
        if ready.fileno() in said:
            return
        status = self.process.poll() if said else None
        self.stop()
        if said:
            raise NotRunning(f"the daemon ended with status {status} before it served")
        raise NotRunning(f"the daemon did not serve within {timeout:g} s")

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """Ends it; the heap is lost. May be called again."""
        self._finalizer()


def _stop(process: subprocess.Popen[bytes], keep: int, folder: str, owner: int) -> None:
    try:
        os.close(keep)
    except OSError:
        pass
    if os.getpid() != owner:
        return  # a forked child has a copy of this object, but not the daemon
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
