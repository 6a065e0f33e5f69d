#include "core/capture.h"

#include <chrono>

#include "core/allocator.h"
#include "core/error.h"
#include "core/host.h"

namespace fastdl {

// memory

CaptureMemory::~CaptureMemory() {
  for (const auto& [p, bytes] : blocks_) cpu_allocator().release(p, bytes);
}

void* CaptureMemory::take(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > kLargestBlock) return cpu_allocator().allocate(bytes);  // throws
  const int c = class_of(bytes);
  std::lock_guard lock(mutex_);
  if (!free_[c].empty()) {
    void* p = free_[c].back();
    free_[c].pop_back();
    return p;
  }
  const size_t block = class_bytes(c);
  blocks_.reserve(blocks_.size() + 1);
  void* p = cpu_allocator().allocate(block);
  blocks_.emplace_back(p, block);
  bytes_ += static_cast<int64_t>(block);
  return p;
}

void CaptureMemory::give_back(void* p, size_t bytes) {
  if (!p) return;
  std::lock_guard lock(mutex_);
  free_[class_of(bytes)].push_back(p);
}

void CaptureMemory::add(Storage* storage) {
  std::lock_guard lock(mutex_);
  storages_.insert(storage);
}

void CaptureMemory::remove(Storage* storage) {
  std::lock_guard lock(mutex_);
  storages_.erase(storage);
}

void CaptureMemory::bump_versions() {
  std::lock_guard lock(mutex_);
  for (Storage* s : storages_) ++s->version;
}

// the active capture

namespace {

thread_local Capture* active = nullptr;

using Clock = std::chrono::steady_clock;
constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr int64_t kWorkPerLook = 1 << 20;  // about 100 us: then looking at the clock is cheap

}  // namespace

Capture* active_capture() { return active; }

void note_use(Storage& storage) {
  if (active) active->keep(storage);
}
void note_edit(Storage& storage) {
  if (active) active->edited(storage);
}

CapturePause::CapturePause() : before_(std::exchange(active, nullptr)) {}
CapturePause::~CapturePause() { active = before_; }

void refuse_capture(const char* op, const char* problem, const char* remedy) {
  Capture* c = capturing();
  if (!c) return;
  c->set_broken(text(op, ": ", problem));
  if (c->strict()) throw Error(ErrorKind::capture, op, problem).remedy(remedy);
}

// captures

namespace {
std::atomic<uint64_t> next_id{1};
}

Capture::Capture(bool strict)
    : id_(next_id.fetch_add(1)), strict_(strict), memory_(new CaptureMemory) {}

Capture::~Capture() {
  if (active == this) end();
}

void Capture::begin() {
  if (active)
    throw Error(ErrorKind::capture, "capture", "a capture is being made on this thread already")
        .remedy("let the outer function capture what the inner one does");
  if (state_ != State::fresh)
    throw Error(ErrorKind::capture, "capture", "this capture was made before")
        .remedy("make a new one");
  state_ = State::active;
  active = this;
  captures_active.fetch_add(1);
}

void Capture::end() {
  if (active != this)
    throw Error(ErrorKind::capture, "capture", "this capture is not active on this thread")
        .remedy("end it where it was begun");
  active = nullptr;
  captures_active.fetch_sub(1);
  for (const auto& f : at_end_) f();
  at_end_.clear();
  state_ = State::complete;
}

void Capture::set_broken(const std::string& why) {
  if (broken_.empty()) broken_ = why;
}

void Capture::keep(Storage& storage) {
  if (storage.of_capture(memory_.get()) || !kept_.insert(&storage).second) return;
  storages_.emplace_back(&storage);
}

void Capture::edited(Storage& storage) {
  if (storage.of_capture(memory_.get())) return;
  keep(storage);
  edited_.insert(&storage);
}

void Capture::run(std::unique_ptr<Step> step, int64_t work, bool renews) {
  Step* const s = step.get();
  steps_.push_back({std::move(step), work});
  if (renews) renewed_.push_back(s);
  work_ += std::min(work, int64_t{1} << 50);
  try {
    const LongWork unlocked(work);
    s->run();
  } catch (...) {
    set_broken("an op failed while the step was captured");
    throw;
  }
}

void Capture::check_complete() const {
  if (state_ == State::complete && broken_.empty()) return;
  throw Error(ErrorKind::capture, "replay",
              state_ == State::complete ? "the step could not be captured: " + broken_
                                        : std::string("the capture is not complete"))
      .remedy("call the function itself");
}

bool Capture::fits() const {
  check_complete();
  for (const auto& holds : guards_)
    if (!holds()) return false;
  return true;
}

void Capture::replay() {
  check_complete();
  if (Capture* outer = capturing()) {  // the outer one keeps this one as a step
    struct Nested final : Step {
      explicit Nested(Capture* c) : inner(c) {}
      void renew() override {
        for (Step* s : inner->renewed_) s->renew();
      }
      void run() override {
        for (const Entry& e : inner->steps_) e.step->run();
        inner->memory_->bump_versions();
      }
      Ref<Capture> inner;
    };
    auto nested = std::make_unique<Nested>(this);
    nested->renew();
    for (Storage* s : edited_) outer->edited(*s);
    outer->run(std::move(nested), work_, true);
    for (const auto& f : afterwards_) f();
    return;
  }
  if (replaying_.exchange(true))
    throw Error(ErrorKind::capture, "replay", "another thread is running this capture")
        .remedy("capture the function once for each thread");
  struct Done {
    ~Done() { capture.replaying_ = false; }
    Capture& capture;
  } done{*this};
  for (Step* s : renewed_) s->renew();
  {
    // Also after an error: some of the steps have run.
    struct Versions {
      ~Versions() {
        for (Storage* s : capture.edited_) ++s->version;
        capture.memory_->bump_versions();
      }
      Capture& capture;
    } versions{*this};
    const LongWork unlocked(work_);
    auto looked = work_ > kWorkPerLook ? Clock::now() : Clock::time_point();
    int64_t since = 0;
    for (const Entry& e : steps_) {
      e.step->run();
      if ((since += e.work) < kWorkPerLook) continue;
      since = 0;
      const auto now = Clock::now();
      if (now - looked < kPoll) continue;
      looked = now;
      if (host_hooks.interrupted && host_hooks.interrupted()) throw Interrupted();
    }
  }
  for (const auto& f : afterwards_) f();
}

}  // namespace fastdl
