// Captured work: what a stretch of ops does, recorded while it runs, and run again from C++ over the
// same memory (docs/capture.md).
//
// While a Capture is active on a thread, every launch<K>() (core/backend.h) also keeps its kernel
// and arguments as a Step; new storages take their memory from the capture, which reuses it
// as the ops do, so that the plan of the memory is made once; and storages from outside that are
// used are kept alive. replay() runs the steps in order; on a GPU stretches of steps whose arguments
// do not change are one launch (core/stream_graph.h).
//
// An op is captured correctly if all that it does to memory goes through launch() or on_host(), and
// if what changes from step to step is an argument that knows how to renew itself (Draw, Live).
// What cannot be captured says so with refuse_capture().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/capture_memory.h"
#include "core/context.h"
#include "core/device.h"
#include "core/intrusive.h"
#include "core/rng.h"
#include "core/storage.h"
#include "core/stream_graph.h"

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
  const Context& context;  // the CPU's, which is one object for good, or the capture's
  std::tuple<typename Kept<Args>::type...> args;
};

// A copy of a GPU's bytes to pinned memory, in order with its stream.
struct CopyOutStep final : Step {
  CopyOutStep(const Context& context, const Storage& to, const void* from)
      : context(context), to(to), from(from) {}
  void run() override;

  const Context& context;
  const Storage& to;
  const void* from;
};

template <class F>
struct HostStep final : Step {
  explicit HostStep(F f) : f(std::move(f)) {}
  void run() override { f(); }
  F f;
};

// Of a step, for errors; a step on the CPU needs neither name.
struct Origin {
  const char* op = "";
  const char* kernel = "";
  Device device{};
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
  // What this thread puts on its current streams from here on comes after the last replay.
  void enter();
  // Throws what a check of an earlier replay on a GPU has found, if the GPU has come that far.
  void look();

  uint64_t id() const { return id_; }  // from 1
  const std::string& broken() const { return broken_; }
  void set_broken(const std::string& why);
  bool strict() const { return strict_; }
  size_t steps() const { return steps_.size(); }
  size_t graphs() const;  // of a GPU: how many stretches of steps one launch runs
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

  // A check whose verdict is on a GPU: `report` is [position, value] of what is wrong, and a
  // negative position as long as nothing is. A replay does not wait for it: `refuse` is called, and
  // throws, where the host next learns how far the GPU has come.
  void defer(const Origin& origin, Ref<Storage> report,
             std::function<void(int64_t position, int64_t value)> refuse);

  // The context in which a step's kernel runs.
  const Context& context_on(Device device);
  // Keeps the step and runs it.
  void run(std::unique_ptr<Step> step, const Origin& origin, int64_t work, bool renews);

 private:
  enum class State { fresh, active, complete };
  void check_complete() const;
  void plan();
  void play();
  void run_step(size_t i);

  const uint64_t id_;
  const bool strict_;
  State state_ = State::fresh;
  std::atomic<bool> replaying_{false};
  std::string broken_;
  Ref<CaptureMemory> memory_;
  struct Entry {
    std::unique_ptr<Step> step;
    int64_t work;
    bool renews;
    Origin origin;
  };
  // Steps that run one by one, or as one graph.
  struct Stretch {
    size_t begin, end;
    std::unique_ptr<StreamGraph> graph;
  };
  // A GPU that steps run on.
  struct Lane {
    explicit Lane(Device device) : device(device), context(device) {}
    const Device device;
    PooledContext context;
    Event done{false};  // after the last replay
    bool ran = false;
  };
  struct Deferred {
    Origin origin;
    Ref<Storage> report, slot;  // on the GPU, and where a replay copies it
    std::function<void(int64_t, int64_t)> refuse;
  };
  Lane& lane(Device device);

  std::vector<std::unique_ptr<Lane>> lanes_;  // before the steps, which refer to them
  std::vector<Entry> steps_;
  std::vector<Stretch> stretches_;
  std::vector<Deferred> deferred_;
  bool planned_ = false;
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

// Looks for the findings of deferred checks (Capture::defer) in all captures.
void look_at_deferred();

// Runs f, and again in every replay. For the little work on tensor memory that is no kernel.
template <class F>
void on_host(F f) {
  if (Capture* c = capturing())
    c->run(std::make_unique<HostStep<F>>(std::move(f)), {}, 1, false);
  else
    f();
}

}  // namespace fastdl
