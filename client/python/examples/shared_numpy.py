"""A data set in shared memory: written once, mapped by all, copied by nobody.

    shared_numpy.py [MIB]
"""
import multiprocessing
import sys
import time

import numpy

import heapd


def mean_of(shared: heapd.Array, part: int, parts: int) -> float:
    data = shared.numpy()  # no copy: the pages that the others see, too
    return float(data[part::parts].mean())


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with heapd.start() as h:
        data = numpy.arange(mib << 17, dtype="f8")
        h["data"] = h.buffer(data)
        begin = time.perf_counter()
        shared = h["data"]
        opened = shared.numpy()
        microseconds = (time.perf_counter() - begin) * 1e6
        assert not opened.flags.writeable and opened[-1] == data[-1]
        with multiprocessing.Pool(4) as pool:
            means = pool.starmap(mean_of, [(shared, part, 4) for part in range(4)])
        assert abs(sum(means) / 4 - data.mean()) < 1
        print(f"{mib} MiB shared with 4 processes; opened in {microseconds:.0f} us; mean {sum(means) / 4:.1f}")


if __name__ == "__main__":
    main()
