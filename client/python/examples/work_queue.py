"""A queue of work: tasks go in, workers take them, results come back. A worker that dies takes no lock with it.

    work_queue.py
"""
import multiprocessing

import heapd


def work(tasks: heapd.Queue, results: heapd.Queue) -> None:
    while True:
        task = tasks.get()
        if task is None:
            return
        results.put((task, sum(range(task))))
        tasks.task_done()


def main() -> None:
    with heapd.Manager() as manager:
        tasks, results = manager.JoinableQueue(), manager.Queue()
        workers = [multiprocessing.Process(target=work, args=(tasks, results)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for number in range(50):
            tasks.put(number)
        tasks.join()
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            worker.join()
        found = dict(results.get() for _ in range(50))
        assert found == {number: sum(range(number)) for number in range(50)}
        print(f"{len(found)} tasks done; the sum of 0 to 48 is {found[49]}")


if __name__ == "__main__":
    main()
