# What every target of heapd has in common: warnings, sanitizers, include roots.

add_library(heapd_options INTERFACE)
target_include_directories(heapd_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/server)
target_compile_definitions(heapd_options INTERFACE _GNU_SOURCE HEAPD_VERSION="${PROJECT_VERSION}")
target_compile_options(heapd_options INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -fno-strict-aliasing -fno-omit-frame-pointer)
if(HEAPD_WERROR)
    target_compile_options(heapd_options INTERFACE -Werror)
endif()
if(HEAPD_SANITIZE)
    target_compile_options(heapd_options INTERFACE -fsanitize=${HEAPD_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(heapd_options INTERFACE -fsanitize=${HEAPD_SANITIZE})
endif()
if(HEAPD_FUZZ)
    target_compile_options(heapd_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HEAPD_DEBUG_CHECKS)
    target_compile_definitions(heapd_options INTERFACE HEAPD_DEBUG_CHECKS=1)
endif()
target_compile_definitions(heapd_options INTERFACE
    HEAPD_ARENA_KIB=${HEAPD_ARENA_KIB} HEAPD_POOL_KIB=${HEAPD_POOL_KIB})

# heapd_layer(NAME SOURCES ... LINKS ...): one static library for a layer, named hd_NAME.
function(heapd_layer name)
    cmake_parse_arguments(LAYER "" "" "SOURCES;LINKS" ${ARGN})
    add_library(hd_${name} STATIC ${LAYER_SOURCES})
    set_target_properties(hd_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(hd_${name} PUBLIC heapd_options ${LAYER_LINKS})
endfunction()

# heapd_test(NAME SOURCES ... LINKS ... [LABELS ...] [TIMEOUT n] [ARGS ...]): a cmocka program that ctest runs.
function(heapd_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LINKS;LABELS;ARGS" ${ARGN})
    add_executable(test_${name} ${TEST_SOURCES})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE heapd_options ${TEST_LINKS} cmocka)
    add_test(NAME ${name} COMMAND test_${name} ${TEST_ARGS})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 120)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
