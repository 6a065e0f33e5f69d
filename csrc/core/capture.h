// Captured work: what a stretch of ops does on the CPU, recorded while it runs, and run again from
// C++ over the same memory (docs/capture.md).
//
// While a Capture is active on a thread, every launch<K>() (core/backend.h) also keeps its kernel
// and arguments as a Step; new CPU storages take their memory from the capture, which reuses it
// as the ops do, so that the plan of the memory is made once; and storages from outside that are
// used are kept alive. replay() runs the steps in order.
//
// An op is captured correctly if all that it does to memory goes through launch() or on_host(), and
// if what changes from step to step is an argument that knows how to renew itself (Draw, Live).
// What cannot be captured says so with refuse_capture().
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/context.h"
#include "core/device.h"
#include "core/intrusive.h"
#include "core/rng.h"
#include "core/size_class.h"
#include "core/storage.h"

namespace fastdl {

// arguments

// A host array that a kernel reads: a capture keeps a copy.
template <class T>
struct HostArray {
  const T* data;
  int64_t count;
  operator const T*() const { return data; }
};
template <class T>
struct KeptArray {
  explicit KeptArray(const HostArray<T>& a) : items(a.data, a.data + a.count) {}
  std::vector<T> items;
  operator const T*() const { return items.data(); }
};
template <class T>
HostArray<T> host_array(const std::vector<T>& items) {
  return {items.data(), static_cast<int64_t>(items.size())};
}

// The next blocks of a generator: a replay draws what the op would have drawn then.
struct Draw {
  Draw(Generator* generator, uint64_t blocks)
      : generator(generator), blocks(blocks), first(generator->advance(blocks)) {}
  void renew() { first = generator->advance(blocks); }
  operator uint64_t() const { return first; }
  Generator* generator;
  uint64_t blocks, first;
};
struct Seed {
  explicit Seed(Generator* generator) : generator(generator), value(generator->seed) {}
  void renew() { value = generator->seed; }
  operator uint64_t() const { return value; }
  Generator* generator;
  uint64_t value;
};

// Options that `next`, where there is one, brings up to date before each replay.
template <class T>
struct Live {
  T value;
  std::function<void(T&)> next;
  void renew() {
    if (next) next(value);
  }
  operator const T&() const { return value; }
};

// Whether an argument is a new one at every replay.
template <class T, class = void>
inline constexpr bool renews = false;
template <class T>
inline constexpr bool renews<T, std::void_t<decltype(std::declval<T&>().renew())>> = true;

template <class T>
struct Kept {
  using type = T;
};
template <class T>
struct Kept<HostArray<T>> {
  using type = KeptArray<T>;
};

// steps

struct Step {
  virtual ~Step() = default;
  virtual void renew() {}  // before a replay, under the host's lock
  virtual void run() = 0;
};

template <class Fn, class... Args>
struct LaunchStep final : Step {
  explicit LaunchStep(Fn fn, const Context& context, const Args&... args)
      : fn(fn), context(context), args(typename Kept<Args>::type(args)...) {}
  void renew() override {
    std::apply([](auto&... a) { (renew_one(a), ...); }, args);
  }
  void run() override {
    std::apply([&](const auto&... a) { fn(context, a...); }, args);
  }
  template <class A>
  static void renew_one(A& a) {
    if constexpr (renews<A>) a.renew();
  }

  Fn fn;
  const Context& context;  // the CPU's, which is one object for good
  std::tuple<typename Kept<Args>::type...> args;
};

template <class F>
struct HostStep final : Step {
  explicit HostStep(F f) : f(std::move(f)) {}
  void run() override { f(); }
  F f;
};

// memory

// Blocks for the storages made during a capture. They live until the capture and the last of these
// storages are gone; a freed one is given out again only while the capture is being made.
class CaptureMemory final : public RefCounted {
 public:
  ~CaptureMemory() override;
  void* take(size_t bytes);
  void give_back(void* p, size_t bytes);
  void add(Storage* storage);
  void remove(Storage* storage);
  void bump_versions();  // of the storages that are still there: a replay writes to them
  int64_t bytes() const { return bytes_; }

 private:
  std::mutex mutex_;
  std::array<std::vector<void*>, kSizeClasses> free_;
  std::vector<std::pair<void*, size_t>> blocks_;
  std::unordered_set<Storage*> storages_;
  int64_t bytes_ = 0;
};

class Capture final : public RefCounted {
 public:
  // A strict one throws CaptureError where something cannot be captured; another goes on, and
  // says afterwards why it is `broken()`.
  explicit Capture(bool strict);
  ~Capture() override;

  void begin();  // on this thread; throws CaptureError where one is active
  void end();
  // Whether a replay does what the ops would do now: asks the guards. Throws CaptureError for a
  // capture that is not complete.
  bool fits() const;
  // Runs the steps. Throws CaptureError while another thread does.
  void replay();

  uint64_t id() const { return id_; }  // from 1
  const std::string& broken() const { return broken_; }
  void set_broken(const std::string& why);
  bool strict() const { return strict_; }
  size_t steps() const { return steps_.size(); }
  int64_t bytes() const { return memory_->bytes(); }
  const Ref<CaptureMemory>& memory() const { return memory_; }

  void keep(Storage& storage);
  void keep(std::shared_ptr<void> owner) { owners_.push_back(std::move(owner)); }
  void edited(Storage& storage);
  // When the capture is complete.
  void at_end(std::function<void()> f) { at_end_.push_back(std::move(f)); }
  // Asked before each replay, under the host's lock.
  void guard(std::function<bool()> holds) { guards_.push_back(std::move(holds)); }
  // After each replay, under the host's lock.
  void afterwards(std::function<void()> f) { afterwards_.push_back(std::move(f)); }

  // Keeps the step and runs it.
  void run(std::unique_ptr<Step> step, int64_t work, bool renews);

 private:
  enum class State { fresh, active, complete };
  void check_complete() const;

  const uint64_t id_;
  const bool strict_;
  State state_ = State::fresh;
  std::atomic<bool> replaying_{false};
  std::string broken_;
  Ref<CaptureMemory> memory_;
  struct Entry {
    std::unique_ptr<Step> step;
    int64_t work;
  };
  std::vector<Entry> steps_;
  std::vector<Step*> renewed_;
  int64_t work_ = 0;
  std::unordered_set<Storage*> kept_, edited_;
  std::vector<Ref<Storage>> storages_;
  std::vector<std::shared_ptr<void>> owners_;
  std::vector<std::function<bool()>> guards_;
  std::vector<std::function<void()>> at_end_, afterwards_;
};

Capture* active_capture();  // of this thread
inline Capture* capturing() {
  return captures_active.load(std::memory_order_relaxed) ? active_capture() : nullptr;
}

// Ops in this scope are not captured: what they make is made once.
class CapturePause {
 public:
  CapturePause();
  ~CapturePause();
  CapturePause(const CapturePause&) = delete;
  CapturePause& operator=(const CapturePause&) = delete;

 private:
  Capture* before_;
};

// While capturing: a strict capture throws CaptureError, another is marked.
void refuse_capture(const char* op, const char* problem, const char* remedy);
// For what hands values to the host, which a replay does not.
inline void refuse_reading(const char* op) {
  if (capturing())
    refuse_capture(op, "reads values, which a replay of the captured step would not see again",
                   "return the tensor and read it outside, or do not capture this function");
}

// Runs f, and again in every replay. For the little work on tensor memory that is no kernel.
template <class F>
void on_host(F f) {
  if (Capture* c = capturing())
    c->run(std::make_unique<HostStep<F>>(std::move(f)), 1, false);
  else
    f();
}

}  // namespace fastdl
