"""Pool.map with state that all workers share: a counter, a set of what was seen, a lock.

    pool_map.py
"""
import multiprocessing
from typing import Any

import heapd


def visit(job: tuple[Any, Any, int]) -> int:
    seen, totals, number = job
    seen.add(number % 10)
    totals.increase("visits")
    totals.increase("sum", number)
    return number * 2


def main() -> None:
    with heapd.start() as h:
        seen, totals = h.set(), h.dict(visits=0, sum=0)
        with multiprocessing.Pool(3) as pool:
            doubled = pool.map(visit, [(seen, totals, number) for number in range(200)])
        assert doubled == [2 * number for number in range(200)]
        assert seen == set(range(10)) and totals == {"visits": 200, "sum": 19900}
        print(f"{totals['visits']} visits, sum {totals['sum']}, last digits {sorted(seen)}")


if __name__ == "__main__":
    main()
