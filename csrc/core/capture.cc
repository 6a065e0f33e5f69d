#include "core/capture.h"

#include <chrono>
#include <mutex>

#include "core/backend.h"
#include "core/error.h"
#include "core/host.h"

namespace fastdl {

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

// Captures with deferred checks.
std::atomic<int> watched_count{0};
std::mutex watched_mutex;
std::unordered_set<Capture*>& watched() {
  static auto* all = new std::unordered_set<Capture*>;
  return *all;
}
void watch(Capture* c, bool on) {
  if (!on && watched_count == 0) return;
  const std::lock_guard lock(watched_mutex);
  if (on ? watched().insert(c).second : watched().erase(c) != 0) watched_count += on ? 1 : -1;
}

// A graph of fewer steps costs about as much as their launches.
constexpr size_t kShortestGraph = 3;

}  // namespace

void look_at_deferred() {
  if (watched_count == 0) return;
  std::vector<Ref<Capture>> all;
  {
    const std::lock_guard lock(watched_mutex);
    for (Capture* c : watched()) all.emplace_back(c);
  }
  for (const Ref<Capture>& c : all) c->look();
}

Capture::Capture(bool strict)
    : id_(next_id.fetch_add(1)), strict_(strict), memory_(new CaptureMemory) {}

Capture::~Capture() {
  if (active == this) end();
  watch(this, false);
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

void Capture::run(std::unique_ptr<Step> step, const Origin& origin, int64_t work, bool renews) {
  steps_.push_back({std::move(step), work, renews, origin});
  if (renews) renewed_.push_back(steps_.back().step.get());
  work_ += std::min(work, int64_t{1} << 50);
  try {
    const LongWork unlocked(work);
    run_step(steps_.size() - 1);
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

// GPUs

void CopyOutStep::run() {
  check_device("copy", device_runtime().copy(context.device, context.stream, to.data, from,
                                             to.bytes, device_to_host, false));
}

Capture::Lane& Capture::lane(Device device) {
  for (const auto& lane : lanes_)
    if (lane->device == device) return *lane;
  return *lanes_.emplace_back(std::make_unique<Lane>(device));
}

const Context& Capture::context_on(Device device) {
  return device.is_cpu() ? context(device) : lane(device).context;
}

void Capture::enter() {
  for (const auto& lane : lanes_) {
    const Stream before{lane->device.index, lane->context.stream};
    const Stream now = current_stream(lane->device);
    if (now == before) continue;
    Event last(false);
    last.record(before);
    last.hold_back(now);
    lane->context.stream = now.handle;
    lane->context.use_on(now);
    memory_->use_on(now);
  }
}

void Capture::defer(const Origin& origin, Ref<Storage> report,
                    std::function<void(int64_t, int64_t)> refuse) {
  Ref<Storage> slot = pinned_storage(report->bytes);
  int64_t* const found = static_cast<int64_t*>(slot->data);
  found[0] = -1, found[1] = 0;
  deferred_.push_back({origin, report, slot, std::move(refuse)});
  run(std::make_unique<CopyOutStep>(context_on(origin.device), *slot, report->data), origin, 1,
      false);
}

void Capture::look() {
  for (const Deferred& d : deferred_) {
    Lane& at = lane(d.origin.device);
    if (!at.ran || !at.done.is_done()) continue;
    int64_t* const found = static_cast<int64_t*>(d.slot->data);
    const int64_t position = found[0], value = found[1];
    if (position < 0) continue;
    // A later replay may be about to write the same report again; then it is found again.
    found[0] = -1, found[1] = 0;
    const Stream stream{at.device.index, at.context.stream};
    check_device("copy", device_runtime().copy(stream.device, stream.handle, d.report->data, found,
                                               d.report->bytes, host_to_device, true));
    d.refuse(position, value);
  }
}

// replays

// Cuts the steps into stretches. Those on one GPU whose arguments stay become graphs.
void Capture::plan() {
  planned_ = true;
  const auto fixed = [&](size_t i) {
    return !steps_[i].renews && !steps_[i].origin.device.is_cpu();
  };
  for (size_t begin = 0, end; begin < steps_.size(); begin = end) {
    end = begin + 1;
    const Device device = steps_[begin].origin.device;
    while (end < steps_.size() && fixed(end) == fixed(begin) &&
           (!fixed(begin) || steps_[end].origin.device == device))
      ++end;
    stretches_.push_back({begin, end, nullptr});
    if (!fixed(begin) || end - begin < kShortestGraph) continue;
    Context& own = lane(device).context;
    const auto record = [&](Stream stream) {
      struct Redirected {
        Redirected(Context& c, void* stream) : context(c), before(c.stream) { c.stream = stream; }
        ~Redirected() { context.stream = before; }
        Context& context;
        void* const before;
      } const redirected(own, stream.handle);
      for (size_t i = begin; i < end; ++i) steps_[i].step->run();
    };
    stretches_.back().graph = StreamGraph::record(device.index, record);
  }
}

size_t Capture::graphs() const {
  size_t n = 0;
  for (const Stretch& s : stretches_) n += s.graph ? 1 : 0;
  return n;
}

void Capture::run_step(size_t i) {
  const Entry& e = steps_[i];
  e.step->run();
  if (!e.origin.device.is_cpu()) check_launch(e.origin.op, e.origin.kernel, e.origin.device);
}

// Whoever wants to know which op failed (set_sync_debug) gets the steps one by one.
void Capture::play() {
  enter();
  if (!planned_) plan();
  auto looked = work_ > kWorkPerLook ? Clock::now() : Clock::time_point();
  int64_t since = 0;
  for (const Stretch& stretch : stretches_) {
    if (stretch.graph && !sync_debug()) {
      stretch.graph->launch(current_stream(steps_[stretch.begin].origin.device));
      continue;
    }
    for (size_t i = stretch.begin; i < stretch.end; ++i) {
      run_step(i);
      if ((since += steps_[i].work) < kWorkPerLook) continue;
      since = 0;
      const auto now = Clock::now();
      if (now - looked < kPoll) continue;
      looked = now;
      if (host_hooks.interrupted && host_hooks.interrupted()) throw Interrupted();
    }
  }
  if (deferred_.empty()) return;
  for (const auto& lane : lanes_) {
    lane->done.record(current_stream(lane->device));
    lane->ran = true;
  }
  watch(this, true);
}

void Capture::replay() {
  check_complete();
  if (Capture* outer = capturing()) {  // the outer one keeps this one as a step
    struct Nested final : Step {
      explicit Nested(Capture* c) : inner(c) {}
      void renew() override {
        for (Step* s : inner->renewed_) s->renew();
      }
      void run() override { inner->play(); }
      Ref<Capture> inner;
    };
    auto nested = std::make_unique<Nested>(this);
    nested->renew();
    for (Storage* s : edited_) outer->edited(*s);
    const auto finish = [inner = Ref(this)] {
      inner->memory_->bump_versions();
      for (const auto& f : inner->afterwards_) f();
    };
    outer->guard([inner = Ref(this)] { return inner->fits(); });
    outer->run(std::move(nested), {}, work_, true);
    outer->afterwards(finish);
    finish();
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
    play();
  }
  for (const auto& f : afterwards_) f();
}

}  // namespace fastdl
