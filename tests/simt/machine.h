// The parts of the modelled machine, for its own files.
//
// A gang is what runs at the same time: one block, the blocks of a cluster, or a cooperative grid.
// Gangs run one after another. Within a gang time is a counter of ticks that every synchronising
// action advances; an access to memory is stamped with thread and tick, and two accesses are
// ordered if a later action of the first thread was seen by the second (Lamport 1978; the shadow
// cells are those of FastTrack, Flanagan and Freund 2009, with barriers as scalars instead of
// vectors).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "simt.h"

namespace simt {

struct Block;
struct Warp;

class Clock {
 public:
  std::vector<uint32_t> seen;  // by thread of the gang
};

struct Thread {
  enum State : uint8_t { fresh, ready, waiting, done };

  State state = fresh;
  int id = 0;    // in the gang
  int lane = 0;  // in the warp
  Size3 index;
  Warp* warp = nullptr;
  Block* block = nullptr;
  Fiber* fiber = nullptr;
  const char* waits_for = nullptr;
  Site site{};
  bool (*is_ready)(void*) = nullptr;  // of wait_until
  void* ready_argument = nullptr;
  uint32_t fenced = 0;           // tick of the last fence.proxy.async
  int registers_in_flight = 0;   // accumulators that a wgmma has yet to deliver
  std::unique_ptr<Clock> clock;  // what it has acquired
  bool has_news = false;         // since the last __syncthreads
};

// Lanes that wait for each other.
struct Meeting {
  unsigned mask = 0, arrived = 0;
  const char* what = nullptr;
  Site site{};
  bool orders = false;
  void* brought[32] = {};
  void (*act)(void* const*, void*) = nullptr;
  void* state = nullptr;
};

struct Warp {
  unsigned lanes = 0;  // that exist
  unsigned gone = 0;   // that have returned
  Thread* thread[32] = {};
  std::vector<Meeting> meetings;
  uint32_t synced = 0;         // tick of the last __syncwarp of all lanes
  std::vector<uint32_t> pair;  // [32][32], of the last __syncwarp of both: where masks were partial
};

struct Block {
  Size3 index;
  unsigned rank = 0;  // in the gang
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  int arrived = 0, agreed = 0, result = 0, gone = 0;
  Thread* first_arrived = nullptr;
  uint32_t synced = 0;  // tick of the last __syncthreads
  Clock news;           // what its threads had acquired by then
  unsigned char* shared = nullptr;
};

struct Gang {
  uint32_t id = 0;
  uint32_t first_of_launch = 0;
  uint32_t tick = 1;
  const Launch* launch = nullptr;
  std::vector<Block> blocks;
  std::vector<Thread*> threads;  // of all blocks
  std::vector<Thread*> ready;
};

// State of one byte of memory.
struct Cell {
  uint32_t write_gang = 0;  // or one of the four below
  uint32_t write_tick = 0;
  uint32_t write_pc = 0;  // offset in the library
  uint32_t read_gang = 0;
  uint32_t read_tick = 0;
  uint32_t read_pc = 0;
  uint32_t readers = 0;  // bit per lane or warp of the block, or per block of a gang of several
  uint16_t write_thread = 0;
  uint16_t read_thread = 0;
};
enum : uint32_t { kNotAllocated = 0, kUnwritten = 1, kByHost = 2, kFirstGang = 16 };
// Threads, and what stands in the place of one.
constexpr uint16_t kMostThreads = 0xff00;
constexpr uint16_t kLanes =
    0xff00;  // and the number of a warp: lanes of it, in a gang of one block
constexpr uint16_t kSeveralBlocks = 0xfffc, kInFlight = 0xfffd, kAtomic = 0xfffe, kSeveral = 0xffff;

extern Gang* gang;       // that runs now, on the one thread of the host that launched it
extern Thread* current;  // in it

bool ordered(int thread, uint32_t tick, const Thread& by);
[[noreturn]] void leave_kernel();  // from a fiber, after a fault was recorded

// memory.cc, shadow.cc
// The last two are writes that will land later: by the thread's own cp.async, by the copy engine.
enum class Access : uint8_t { read, write, atomic, async_read, take_off, async_take_off };
void check(const void* p, size_t bytes, Access access, const void* pc);
// Checks the bytes as `how` says, and makes every access to them a fault ("in-flight") until
// `land`.
void take_off(void* p, size_t bytes, const char* what, Access how, const void* pc);
void check_registers(const void* p, size_t bytes, const void* pc);  // wgmma.cc
void begin_launch_memory();
unsigned char* shared_of(unsigned rank, size_t bytes);
int device_allocate(int device, size_t bytes, void** out);
bool device_release(void* p);
bool is_device_range(const void* p, size_t bytes, bool read, const char* what);
void written_by_host(void* p, size_t bytes);
int device_of(const void* p);  // -1: host memory
void device_memory(int device, size_t* free, size_t* total);
int device_count();

// report.cc
void record_fault(const char* kind, const void* pc, const char* text);
std::string describe_pc(const void* pc);
uint32_t offset_of(const void* pc);
const void* pc_of(uint32_t offset);
std::string in_kernel_position();
[[noreturn]] void fault_at(const void* pc, const char* kind, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

}  // namespace simt
