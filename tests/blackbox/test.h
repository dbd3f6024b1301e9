/* cmocka's preamble, in the order that it wants. */
#ifndef HEAPD_TESTS_BLACKBOX_TEST_H
#define HEAPD_TESTS_BLACKBOX_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
