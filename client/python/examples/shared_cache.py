"""A cache that several processes share: what one has computed, the others find.

    shared_cache.py [ADDRESS]
"""
import multiprocessing
import sys

import heapd


def slow_square(number: int) -> int:
    return number * number


def lookup(cache: heapd.Dict, numbers: list[int]) -> None:
    for number in numbers:
        if number not in cache:
            cache[number] = slow_square(number)
            cache.increase("misses")
        else:
            cache.increase("hits")


def main() -> None:
    h = heapd.connect(sys.argv[1]) if len(sys.argv) > 1 else heapd.start()
    with h:
        cache = h.dict(hits=0, misses=0)
        workers = [multiprocessing.Process(target=lookup, args=(cache, list(range(20)))) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert cache[12] == 144 and cache["hits"] + cache["misses"] == 80
        print(f"{cache['misses']} computed, {cache['hits']} found; {len(cache) - 2} entries")


if __name__ == "__main__":
    main()
