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
constexpr auto kSpin = std::chrono::microseconds(20);
constexpr auto kLook = std::chrono::microseconds(200);  // at workers that are waited for
// Waking a sleeper costs as much as a few chunks. After the workers came too late for a job of no
// more than these, the next ones of its kind, up to 2^kMostSkipped, begin without.
constexpr int64_t kFewChunks = 8;
constexpr int kMostSkipped = 6;
constexpr auto kAlone = std::chrono::microseconds(40);  // no longer than this, though
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

// A worker, and what the caller does for one that the system has put aside for another program in
// the middle of a chunk: milliseconds would pass until its turn. The caller, which has nothing left
// to do but wait, lends it its own core.
class Worker {
 public:
  void start() {  // by the worker
    thread_ = gettid();
    known_ = pthread_getcpuclockid(pthread_self(), &clock_) == 0;
  }
  void set_inside(bool inside) { inside_ = inside; }
  bool was_lent() { return lent_.exchange(false); }

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

  std::atomic<bool> inside_{false};  // ... a job
  std::atomic<bool> lent_{false};
  std::atomic<bool> known_{false};
  pid_t thread_ = 0;
  clockid_t clock_{};
  Clock::time_point looked_;
  std::chrono::nanoseconds ran_{};
  cpu_set_t allowed_;
  bool moved_ = false;
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
    if (chunks <= kFewChunks && luck.skip > 0 && awake_ == 0) {
      --luck.skip;
      if (finishes_alone(job)) return;
    }
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      wanted_ = helpers;
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (helpers == 1)
      wake_.notify_one();
    else
      wake_.notify_all();
    try {
      const InsideJob inside;
      run_as_caller(job);
    } catch (...) {
      job.fail(std::current_exception());
    }
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // who has not started yet will not
    luck.late = wanted_ == helpers ? std::min(luck.late + 1, kMostSkipped) : 0;
    luck.skip = luck.late == 0 ? 0 : 1 << luck.late;
    wanted_ = 0;
    if (active_ > 0) wait_for_workers(lock);
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

  bool finishes_alone(Job& job) {
    const InsideJob inside;
    const auto until = Clock::now() + kAlone;
    while (job.step())
      if (Clock::now() > until) return job.next.load() >= job.n;
    return true;
  }

  bool finishes_within(std::chrono::microseconds time) {
    const auto until = Clock::now() + time;
    while (active_.load(std::memory_order_acquire) > 0)
      if (Clock::now() < until)
        pause_briefly();
      else
        return false;
    return true;
  }

  void wait_for_workers(std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    const bool done = finishes_within(kSpin / 2);
    if (!done)
      for (auto& w : workers_) w->look();
    if (done || finishes_within(kSpin)) return lock.lock();
    for (;;) {
      for (auto& w : workers_) w->lend_if_stuck();
      for (auto& w : workers_) w->look();
      lock.lock();
      if (done_.wait_for(lock, kLook, [&] { return active_ == 0; })) break;
      lock.unlock();
    }
    for (auto& w : workers_) w->restore();
  }

  void serve(Worker& me) {
    me.start();
    inside_job = true;  // a nested parallel_for in a worker runs in place
    uint64_t seen = 0;
    for (;;) {
      // Not on a core that the caller is about to need.
      const auto until = Clock::now() + (me.was_lent() ? kSpin * 0 : kSpin);
      ++awake_;
      while (generation_.load(std::memory_order_acquire) == seen && Clock::now() < until)
        pause_briefly();
      --awake_;
      Job* job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        seen = generation_;
        if (!job_ || wanted_ == 0) continue;
        --wanted_;
        ++active_;
        job = job_;
      }
      me.set_inside(true);
      run_as_worker(*job);
      me.set_inside(false);
      std::lock_guard lock(mutex_);
      if (--active_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> generation_{0};
  Job* job_ = nullptr;
  int wanted_ = 0;              // workers that may still join the job
  std::atomic<int> active_{0};  // workers inside the job
  std::atomic<int> awake_{0};   // workers that spin
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
