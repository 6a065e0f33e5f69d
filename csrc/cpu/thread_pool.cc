#include "cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/host.h"

namespace fastdl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(100);  // what waking a sleeper costs
constexpr auto kWait = std::chrono::microseconds(20);   // for a worker, before that
constexpr auto kLook = std::chrono::microseconds(200);  // at workers that are waited for
// After the workers came too late for a job of no more than a few chunks, the next ones of its kind,
// up to 2^kMostSkipped, wake nobody unless they last: waking costs as much as a few chunks.
constexpr int64_t kFewChunks = 8;
constexpr int kMostSkipped = 6;
constexpr auto kAlone = std::chrono::microseconds(40);
constexpr auto kPoll = std::chrono::milliseconds(50);

struct Job {
  int64_t n, grain;
  void (*body)(void*, int64_t, int64_t);
  void* arg;
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;  // the first one; scratch memory may run out in any thread

  void fail(std::exception_ptr e) {
    if (!failed.exchange(true)) failure = e;
    stop = true;
  }

  // Takes one chunk; false when none is left.
  bool step() {
    if (stop.load(std::memory_order_relaxed)) return false;
    const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
    if (begin >= n) return false;
    body(arg, begin, std::min(begin + grain, n));
    return true;
  }
};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

thread_local bool inside_job = false;
struct InsideJob {
  InsideJob() { inside_job = true; }
  ~InsideJob() { inside_job = false; }
};

// When this thread last asked. It outlives the job: a long op may be many short jobs.
thread_local Clock::time_point polled;

// The calling thread's part of a job: like a worker's, but it asks now and then whether to stop.
void run_as_caller(Job& job) {
  while (job.step()) {
    if (!host_hooks.interrupted) continue;
    const auto now = Clock::now();
    if (now - polled < kPoll) continue;
    polled = now;
    if (host_hooks.interrupted()) throw Interrupted();
  }
}

void run_as_worker(Job& job) {
  try {
    while (job.step()) {
    }
  } catch (...) {
    job.fail(std::current_exception());
  }
}

// Which job this is, how many workers it still wants and how many are inside: one word, so that no
// one ever waits for a lock that the other side holds.
class Door {
 public:
  uint32_t job() const { return static_cast<uint32_t>(state_.load() >> 32); }
  int inside() const { return static_cast<int>(state_.load() & kMost); }

  // by the caller
  void open(int wanted) {
    state_ = static_cast<uint64_t>(job() + 1) << 32 | static_cast<uint64_t>(wanted) << 16;
  }
  // Who is not inside by now stays outside. Returns how many could still have come.
  int close() {
    const uint64_t before = state_.fetch_and(~(kMost << 16));
    return static_cast<int>(before >> 16 & kMost);
  }

  // by a worker
  bool enter() {
    uint64_t state = state_.load();
    while (state >> 16 & kMost)
      if (state_.compare_exchange_weak(state, state - (1 << 16) + 1)) return true;
    return false;
  }
  void leave() { --state_; }

 private:
  static constexpr uint64_t kMost = 0xffff;
  std::atomic<uint64_t> state_{0};
};

// A worker, and what is done about two habits of a system's scheduler. It may start a thread on the
// core of the one that woke it, where both are slower than the caller alone: the caller forbids that
// core until the worker runs. And it puts a thread aside for another program in the middle of a chunk,
// for milliseconds: the caller, which has nothing left to do but wait, lends it its own core.
class Worker {
 public:
  // by the worker
  void start() {
    thread_ = gettid();
    known_ = pthread_getcpuclockid(pthread_self(), &clock_) == 0;
  }
  void sleep(const Door& door, uint32_t seen) {
    std::unique_lock lock(mutex_);
    asleep_ = true;
    if (door.job() == seen) wake_.wait(lock, [&] { return !asleep_; });
    asleep_ = false;
    if (kept_off_) sched_setaffinity(thread_, sizeof allowed_, &allowed_);
    kept_off_ = false;
  }
  void set_inside(bool inside) { inside_ = inside; }
  bool was_lent() { return lent_.exchange(false); }

  // by the caller
  bool asleep() const { return asleep_; }
  // False where it is awake.
  bool wake(int core) {
    const std::lock_guard lock(mutex_);
    if (!asleep_) return false;
    asleep_ = false;
    if (sched_getaffinity(thread_, sizeof allowed_, &allowed_) == 0) {
      cpu_set_t others = allowed_;
      CPU_CLR(core, &others);
      kept_off_ = CPU_COUNT(&others) > 0 && CPU_ISSET(core, &allowed_) &&
                  sched_setaffinity(thread_, sizeof others, &others) == 0;
    }
    wake_.notify_one();
    return true;
  }

  // by the caller, while it waits
  void look() {
    looked_ = Clock::now();
    ran_ = ran();
  }
  void lend_if_stuck() {
    if (lent_ || !inside_ || !known_) return;
    const auto passed = Clock::now() - looked_;
    const auto went_on = ran() - ran_;
    cpu_set_t mine;
    CPU_ZERO(&mine);
    CPU_SET(sched_getcpu(), &mine);
    if (4 * went_on > passed || sched_getaffinity(thread_, sizeof allowed_, &allowed_) != 0) return;
    lent_ = moved_ = sched_setaffinity(thread_, sizeof mine, &mine) == 0;
  }
  void restore() {
    if (moved_) sched_setaffinity(thread_, sizeof allowed_, &allowed_);
    moved_ = false;
  }

 private:
  std::chrono::nanoseconds ran() const {
    timespec t{};
    clock_gettime(clock_, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  }

  std::mutex mutex_;  // for sleeping only
  std::condition_variable wake_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> inside_{false};  // ... a job
  std::atomic<bool> lent_{false};
  std::atomic<bool> known_{false};
  pid_t thread_ = 0;
  clockid_t clock_{};
  Clock::time_point looked_;
  std::chrono::nanoseconds ran_{};
  cpu_set_t allowed_;      // to run on, when it is left alone
  bool kept_off_ = false;  // the caller's core, until it runs
  bool moved_ = false;     // to the caller's core
};

// Of jobs of a kind.
struct Luck {
  int late = 0;  // in a row, that no worker came to in time
  int skip = 0;  // to come, for which no sleeper is woken
};

class Pool {
 public:
  // Workers live as long as the process: joining threads from a static destructor invites deadlock.
  void run(Job& job, int threads) {
    grow(threads - 1);
    const int64_t chunks = (job.n + job.grain - 1) / job.grain;
    const int helpers = std::min<int64_t>(threads - 1, chunks - 1);
    Luck& luck = luck_[reinterpret_cast<uintptr_t>(job.body) / 16 % kKinds];
    job_ = &job;
    door_.open(helpers);
    const bool skips = chunks <= kFewChunks && luck.skip > 0;
    if (!skips) wake(helpers);
    try {
      const InsideJob inside;
      if (!skips || !finishes_soon(job)) {
        if (skips) wake(helpers);
        run_as_caller(job);
      }
    } catch (...) {
      job.fail(std::current_exception());
    }
    const bool late = door_.close() == helpers;
    if (!late)
      luck = {};
    else if (skips)
      --luck.skip;
    else
      luck.skip = 1 << (luck.late = std::min(luck.late + 1, kMostSkipped));
    if (door_.inside() > 0) wait_for_workers();
    if (job.failed) std::rethrow_exception(job.failure);
  }

  std::mutex in_use;  // one job at a time

 private:
  void grow(int workers) {
    while (static_cast<int>(workers_.size()) < workers) {
      workers_.push_back(std::make_unique<Worker>());
      std::thread([this, me = workers_.back().get()] { serve(*me); }).detach();
    }
  }

  // As many sleepers as it takes for `count` to be awake, who all see the door.
  void wake(int count) {
    const int core = sched_getcpu();
    int sleepers = 0;
    for (auto& w : workers_) sleepers += w->asleep();
    count -= static_cast<int>(workers_.size()) - sleepers;
    for (auto& w : workers_)
      if (count > 0 && w->asleep() && w->wake(core)) --count;
  }

  bool finishes_soon(Job& job) {
    const auto until = Clock::now() + kAlone;
    while (job.step())
      if (Clock::now() > until) return job.next >= job.n;
    return true;
  }

  bool workers_leave_within(std::chrono::microseconds time) {
    const auto until = Clock::now() + time;
    while (door_.inside() > 0)
      if (Clock::now() < until)
        pause_briefly();
      else
        return false;
    return true;
  }

  void wait_for_workers() {
    if (workers_leave_within(kWait / 2)) return;
    for (auto& w : workers_) w->look();
    if (workers_leave_within(kWait)) return;
    waits_ = true;
    for (bool done = false; !done;) {
      for (auto& w : workers_) w->lend_if_stuck();
      for (auto& w : workers_) w->look();
      std::unique_lock lock(mutex_);
      done = done_.wait_for(lock, kLook, [&] { return door_.inside() == 0; });
    }
    waits_ = false;
    for (auto& w : workers_) w->restore();
  }

  void serve(Worker& me) {
    me.start();
    inside_job = true;  // a nested parallel_for in a worker runs in place
    uint32_t seen = 0;
    auto until = Clock::now();  // it spins; jobs that do not want it do not prolong this
    for (;;) {
      while (door_.job() == seen && Clock::now() < until) pause_briefly();
      if (door_.job() == seen) {
        me.sleep(door_, seen);
        until = Clock::now() + kSpin;
      }
      seen = door_.job();
      if (!door_.enter()) continue;
      me.set_inside(true);
      run_as_worker(*job_);
      me.set_inside(false);
      door_.leave();
      if (waits_) {
        const std::lock_guard lock(mutex_);
        done_.notify_one();
      }
      // Not on a core that the caller is about to need.
      until = Clock::now() + (me.was_lent() ? kSpin * 0 : kSpin);
    }
  }

  Door door_;
  Job* job_ = nullptr;  // for those inside
  std::mutex mutex_;    // for the caller's sleep
  std::condition_variable done_;
  std::atomic<bool> waits_{false};  // the caller, asleep
  static constexpr size_t kKinds = 64;
  Luck luck_[kKinds];                             // by the address of the body
  std::vector<std::unique_ptr<Worker>> workers_;  // changed and read by the caller
};

std::atomic<int> pool_threads{default_threads()};
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  Pool* p = the_pool.load(std::memory_order_acquire);
  if (p) return *p;
  auto* fresh = new Pool;
  if (the_pool.compare_exchange_strong(p, fresh)) {
    // A forked child has no workers and perhaps a locked mutex: it starts anew, and the parent's
    // pool is left as it was.
    static const int once = pthread_atfork(nullptr, nullptr, [] {
      the_pool = nullptr;
      inside_job = false;
    });
    (void)once;
    return *fresh;
  }
  delete fresh;
  return *p;
}

}  // namespace

void parallel_for_chunks(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t),
                         void* arg) {
  Job job;
  job.n = n, job.grain = grain, job.body = body, job.arg = arg;
  const int threads = pool_threads.load(std::memory_order_relaxed);
  if (inside_job) {
    while (job.step()) {
    }
    return;
  }
  if (threads == 1) return run_as_caller(job);
  Pool& p = pool();
  std::unique_lock lock(p.in_use, std::try_to_lock);
  if (!lock.owns_lock()) return run_as_caller(job);
  p.run(job, threads);
}

void resize_pool(int threads) { pool_threads = threads; }

int default_threads() {
  if (const char* wanted = std::getenv("FASTDL_NUM_THREADS")) {
    const int n = std::atoi(wanted);
    if (n >= 1 && n <= 1024) return n;
  }
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace fastdl
