"""
Random operations on real Python objects and on heapd's, side by side. `run.py --help`; README.md tells how to add types.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import registry
import wire
import world

# Each module registers operations on its types.
import scalars    # noqa: F401
import sequences  # noqa: F401
import slots      # noqa: F401
import tables     # noqa: F401

OPERATIONS_PER_WORLD = 20000
OPERATIONS_PER_CHECK = 150
DEATHS_PER_CHECK = 0.3  # the others pass without a collection


class Daemon:
    """One of our own, in a directory of its own, that ends with us."""

    def __init__(self, program, limit="2G"):
        self.directory = tempfile.TemporaryDirectory(prefix="heapd-differential-")
        self.path = os.path.join(self.directory.name, "socket")
        self.process = subprocess.Popen([program, "--until-eof", "-l", "unix:" + self.path, "-m", limit, "-v", "error"],
                                        stdin=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not os.path.exists(self.path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the daemon did not begin to listen")
            time.sleep(0.01)

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=60)
        self.directory.cleanup()
        return status


class Stopped(Exception):
    """Somebody else wants us to end."""


def stop(number, _):
    raise Stopped("signal %d" % number)


def tell(daemon, it, seed, done, error):
    """Whatever ended a world: how to have it again, and what became of the daemon."""
    print("\nSTOPPED by %s: %s" % (type(error).__name__, error))
    print("after %d operations of this world, %d in all" % (it.steps if it else 0, done + (it.steps if it else 0)))
    print("again: run.py --seed %d --worlds 1" % seed)
    for request, name, expected in it.log[-30:] if it else ():
        print("  %d %.150s -> %.150s" % (request, name, expected))
    try:
        print("the daemon ended with status %d" % daemon.process.wait(timeout=1))
    except subprocess.TimeoutExpired:
        print("the daemon still runs")
    if not isinstance(error, (world.Difference, Stopped, EOFError, TimeoutError)):
        traceback.print_exception(error)
    sys.stdout.flush()


def run_world(daemon, seed, count, only, done):
    """One session with a seed of its own, so that a difference can be found again soon. Operations, and deaths that were seen."""
    chosen = random.Random(seed)
    functions = [(f, w) for f, w in registry.OPERATIONS if not only or f.__name__ in only]
    names, weights = zip(*functions)
    it = None
    try:
        it = world.World(wire.Connection(daemon.path), chosen)
        next_check = OPERATIONS_PER_CHECK
        while it.steps < count:
            it.make_room()
            try:
                chosen.choices(names, weights)[0](it)
            except wire.Unheld:
                pass  # it chose what it has no handle of; nothing was done
            if it.steps >= next_check:
                it.check()
                if it.watched and chosen.random() < DEATHS_PER_CHECK:
                    it.check_deaths()
                next_check = it.steps + OPERATIONS_PER_CHECK
        it.check()
    except BaseException as error:
        tell(daemon, it, seed, done, error)
        raise SystemExit(1) from None
    it.connection.socket.close()
    return it.steps, it.deaths


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", default="heapd", help="the program heapd")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HEAPD_TEST_SEED", 0)), help="0: another each time")
    parser.add_argument("--operations", type=int, default=20000, help="in all")
    parser.add_argument("--seconds", type=float, default=0, help="stop after that long even so; 0: never")
    parser.add_argument("--worlds", type=int, default=0, help="stop after so many worlds; 0: when all operations are done")
    parser.add_argument("--only", nargs="*", default=[], help="operations by name")
    arguments = parser.parse_args()
    seed = arguments.seed or random.SystemRandom().randrange(1, 1 << 40)
    print("seed %d" % seed, flush=True)
    sys.setrecursionlimit(2000)
    sys.set_int_max_str_digits(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stop)
    daemon = Daemon(arguments.daemon)
    begun, done, deaths, worlds = time.monotonic(), 0, 0, 0
    while done < arguments.operations and not (arguments.seconds and time.monotonic() - begun > arguments.seconds):
        count = min(OPERATIONS_PER_WORLD, arguments.operations - done)
        steps, died = run_world(daemon, seed + worlds, count, arguments.only, done)
        done, deaths, worlds = done + steps, deaths + died, worlds + 1
        if worlds == arguments.worlds:
            break
    status = daemon.end()
    print("%d operations in %d worlds, %.1f s, %d deaths seen through weak references: no difference" %
          (done, worlds, time.monotonic() - begun, deaths))
    if status:
        raise SystemExit("the daemon ended with status %d" % status)


if __name__ == "__main__":
    main()
