"""What a client sees of a daemon that is busy: a daemon of its own, a client that loads it, one that pings.

    daemon.py FOLDER COUNT

FOLDER has the programs. Prints rows of label, value and unit: of each phase the pings' percentiles and how late the
pinging process itself was woken; those of an idle daemon come first, since they are the machine's own. And of all
phases together the daemon's slices, in elapsed time.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time

IDLE_SECONDS = 3
DAEMON_CORE, CLIENTS_CORE = 0, 1


def cores():
    return sorted(os.sched_getaffinity(0))


def on_core(core, at_once=False):
    """What a child does before it becomes a program. `at_once`: whatever else runs there is interrupted for it."""
    def prepare():
        if len(cores()) < 2:
            return
        try:
            if at_once:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass  # its rows about its own delay will say so
        os.sched_setaffinity(0, {cores()[core]})
    return prepare


def listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def start_daemon(folder, path):
    daemon = subprocess.Popen([os.path.join(folder, "heapd"), "--listen", f"unix:{path}", "--until-eof",
                               "--log-level", "error"], stdin=subprocess.PIPE,
                              preexec_fn=on_core(DAEMON_CORE))
    deadline = time.monotonic() + 10
    while not listens(path):
        if daemon.poll() is not None or time.monotonic() > deadline:
            sys.exit("heapd does not start")
        time.sleep(0.01)
    return daemon


def print_rows(phase, text):
    for line in text.splitlines():
        label, value, unit = line.split("\t")
        print(f"{phase}: {label}\t{value}\t{unit}", flush=True)


class Pinger:
    """Pings from `with` to its end, and prints what came out."""

    def __init__(self, folder, address, phase):
        self.argv = [os.path.join(folder, "bench_ping"), address]
        if len(cores()) > 1:
            self.argv += ["--echo-core", str(cores()[DAEMON_CORE])]
        self.phase = phase

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=on_core(CLIENTS_CORE, at_once=True))

    def __exit__(self, *exception):
        rows, _ = self.process.communicate()
        if self.process.returncode != 0:
            sys.exit("bench_ping failed")
        print_rows(self.phase, rows)


class Load:
    """The client that loads the daemon, phase by phase."""

    def __init__(self, folder, address, count):
        self.process = subprocess.Popen([os.path.join(folder, "bench_load"), address, str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        preexec_fn=on_core(CLIENTS_CORE))

    def run(self, phase):
        """Returns what it printed."""
        self.process.stdin.write(phase + "\n")
        self.process.stdin.flush()
        rows = []
        for line in self.process.stdout:
            if line == "done\n":
                return "".join(rows)
            rows.append(line)
        sys.exit("bench_load failed")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "heapd.sock")
        daemon = start_daemon(folder, path)
        address = f"unix:{path}"
        try:
            with Pinger(folder, address, "idle"):
                time.sleep(IDLE_SECONDS)
            load = Load(folder, address, count)
            for phase in ("build", "collect", "free", "compact"):
                with Pinger(folder, address, phase):
                    load.run(phase)
            print_rows("daemon", load.run("slices"))
            load.end()
        finally:
            daemon.stdin.close()
            daemon.wait()


if __name__ == "__main__":
    main()
