// Counters in global memory through which blocks of a cooperative grid wait for one another.
#include "async_state.h"
#include "wrappers.h"

namespace simt {

void publish(uint32_t* counter, uint32_t step) {
  release(async_state().published[counter]);
  *counter = step;
}

// Blocks that do not run at the same time wait for ever: a deadlock, and reported as one.
void await(const uint32_t* counter, uint32_t step, Site site) {
  if (*counter < step) wait_until([=] { return *counter >= step; }, "await", site);
  acquire(async_state().published[counter]);
}

}  // namespace simt
