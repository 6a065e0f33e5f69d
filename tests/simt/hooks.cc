// Every access to memory in the kernels' sources calls one of these. The compiler puts the calls in
// for -fsanitize=thread and -fsanitize=alignment,bounds; the sanitizers' own libraries are not
// linked (Linux's KCSAN uses the compiler the same way).
#include <cstddef>
#include <cstdint>

#include "machine.h"

using simt::Access;

namespace {

// Host code in the same sources is instrumented too; it does not run on a fiber.
inline bool from_kernel() {
  return simt::Fiber::on_any_stack(__builtin_frame_address(0)) && simt::current;
}

inline void access(const void* p, size_t bytes, Access kind, const void* pc) {
  if (from_kernel()) simt::check(p, bytes, kind, pc);
}

}  // namespace

#define PC __builtin_return_address(0)

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}

#define HOOKS(n)                                                               \
  void __tsan_read##n(void* p) { access(p, n, Access::read, PC); }             \
  void __tsan_write##n(void* p) { access(p, n, Access::write, PC); }           \
  void __tsan_unaligned_read##n(void* p) { access(p, n, Access::read, PC); }   \
  void __tsan_unaligned_write##n(void* p) { access(p, n, Access::write, PC); } \
  void __tsan_volatile_read##n(void* p) { access(p, n, Access::read, PC); }    \
  void __tsan_volatile_write##n(void* p) { access(p, n, Access::write, PC); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
void __tsan_read_range(void* p, size_t n) { access(p, n, Access::read, PC); }
void __tsan_write_range(void* p, size_t n) { access(p, n, Access::write, PC); }

// In host code: the guard of a static variable, a shared_ptr's count.
uint8_t __tsan_atomic8_load(const uint8_t* p, int) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
int __tsan_atomic32_fetch_add(int* p, int n, int) {
  return __atomic_fetch_add(p, n, __ATOMIC_ACQ_REL);
}

// The layouts of GCC's and Clang's UndefinedBehaviorSanitizer interface.
struct Location {
  const char* file;
  uint32_t line, column;
};
struct TypeName {
  uint16_t kind, info;
  char name[1];
};
struct TypeMismatch {
  Location location;
  const TypeName* type;
  unsigned char log_alignment, check;
};
struct OutOfBounds {
  Location location;
  const TypeName *array, *index;
};

void __ubsan_handle_type_mismatch_v1(TypeMismatch* data, uintptr_t p) {
  if (!from_kernel()) return;
  simt::fault_at(PC, "unaligned", "address %#lx is not a multiple of %d, which %s asks for",
                 static_cast<unsigned long>(p), 1 << data->log_alignment, data->type->name);
}

void __ubsan_handle_out_of_bounds(OutOfBounds* data, uintptr_t index) {
  if (!from_kernel()) return;
  simt::fault_at(PC, "out-of-bounds", "index %ld of %s", static_cast<long>(index),
                 data->array->name);
}

}  // extern "C"
