#include "cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/host.h"

namespace fastdl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(20);
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

class Pool {
 public:
  // Workers live as long as the process: joining threads from a static destructor invites deadlock.
  void run(Job& job, int threads) {
    grow(threads - 1);
    const int helpers = std::min<int64_t>(threads - 1, (job.n + job.grain - 1) / job.grain - 1);
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
    inside_job = true;
    try {
      run_as_caller(job);
    } catch (...) {
      job.fail(std::current_exception());
    }
    inside_job = false;
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // who has not started yet will not
    wanted_ = 0;
    if (active_ > 0) {
      lock.unlock();
      const auto until = Clock::now() + kSpin;
      while (active_.load(std::memory_order_acquire) > 0 && Clock::now() < until) pause_briefly();
      lock.lock();
      done_.wait(lock, [&] { return active_ == 0; });
    }
    if (job.failed) std::rethrow_exception(job.failure);
  }

  std::mutex in_use;  // one job at a time

 private:
  void grow(int workers) {
    while (started_ < workers) {
      std::thread([this] { serve(); }).detach();
      ++started_;
    }
  }

  void serve() {
    inside_job = true;  // a nested parallel_for in a worker runs in place
    uint64_t seen = 0;
    for (;;) {
      const auto until = Clock::now() + kSpin;
      while (generation_.load(std::memory_order_acquire) == seen && Clock::now() < until)
        pause_briefly();
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
      run_as_worker(*job);
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
  int started_ = 0;
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
