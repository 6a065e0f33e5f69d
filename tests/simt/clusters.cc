// Clusters: their barrier, and the way into the shared memory of another block.
#include "async_state.h"
#include "wrappers.h"

namespace simt {
namespace {

// Threads that have returned are not waited for.
bool everybody_arrived(const AsyncState& all) {
  for (const Thread* t : gang->threads)
    if (t->state != Thread::done && !all.threads[static_cast<size_t>(t->id)].arrived_at_cluster)
      return false;
  return true;
}

void end_phase_if_complete(AsyncState& all) {
  if (!everybody_arrived(all)) return;
  all.cluster_done.seen = all.cluster_arriving.seen;
  ++all.cluster_phase;
  for (ThreadAsync& t : all.threads) t.arrived_at_cluster = false;
}

}  // namespace

void cluster_arrive() {
  AsyncState& all = async_state();
  ThreadAsync& mine = async_of_thread();
  if (mine.cluster_waits != mine.cluster_arrivals)
    fault("wrong-phase", "a second cluster_arrive, without cluster_wait in between");
  release(all.cluster_arriving);
  mine.arrived_at_cluster = true;
  ++mine.cluster_arrivals;
  end_phase_if_complete(all);
}

void cluster_wait(Site site) {
  AsyncState& all = async_state();
  ThreadAsync& mine = async_of_thread();
  if (mine.cluster_waits == mine.cluster_arrivals)
    fault("wrong-phase", "cluster_wait without cluster_arrive before");
  const uint32_t phase = ++mine.cluster_waits;
  if (all.cluster_phase != phase)
    wait_until(
        [&] {
          if (all.cluster_phase != phase) end_phase_if_complete(all);
          return all.cluster_phase == phase;
        },
        "cluster_wait", site);
  acquire(all.cluster_done);
}

void* remote_shared(const void* shared, unsigned rank) {
  const auto* p = static_cast<const unsigned char*>(shared);
  const auto offset = static_cast<size_t>(p - dynamic_shared());
  if (offset < gang->launch->shared) return dynamic_shared(rank) + offset;
  if (!is_shared(shared))
    fault("wrong-space", "mapa: %p is not shared memory of this block", shared);
  if (cluster_size() > 1)
    fault("not-modelled", "static shared memory where several blocks run together");
  return const_cast<void*>(shared);
}

}  // namespace simt
