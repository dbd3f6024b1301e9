/*
 * What the files of this folder share, one header a subject. Only the folder itself, net and tests that look inside
 * include them. DESIGN.md tells how they fit together.
 */
#ifndef HEAPD_RPC_PRIVATE_H
#define HEAPD_RPC_PRIVATE_H

#include "rpc/ahead.h"
#include "rpc/analysis.h"
#include "rpc/arena.h"
#include "rpc/batch.h"
#include "rpc/call.h"
#include "rpc/connection.h"
#include "rpc/events.h"
#include "rpc/explain.h"
#include "rpc/handlers.h"
#include "rpc/hot.h"
#include "rpc/limits.h"
#include "rpc/operations.h"
#include "rpc/passing.h"
#include "rpc/release.h"
#include "rpc/reply.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "rpc/slices.h"
#include "rpc/unfinished.h"
#include "rpc/upkeep.h"
#include "rpc/values.h"
#include "rpc/waits.h"

#endif
