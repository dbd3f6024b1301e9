/* CPU time of a process. */
#ifndef HEAPD_BENCH_CPU_H
#define HEAPD_BENCH_CPU_H

/* Seconds that all threads of a process have run; negative if it cannot be known. */
double hd_bench_cpu_of(long pid);
/* The same of this process. */
double hd_bench_cpu_own(void);

#endif
