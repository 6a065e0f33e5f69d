#include "fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace simt {

void fiber_main(void* self) { Fiber::main(static_cast<Fiber*>(self)); }

namespace {

// A switch stores where it was in *from and continues at `to`; `prepare` makes a place to continue
// at, the start of fiber_main on a fresh stack.
#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)

// The registers that the System V ABI wants preserved, on the stack that is left; the floating-point
// modes are the same everywhere here. swapcontext would ask the kernel for the signal mask each time.
extern "C" void simt_switch(void** from, void* to);
extern "C" void simt_start();
asm(R"(
  .text
  .globl simt_switch
  .hidden simt_switch
  .type simt_switch, @function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size simt_switch, . - simt_switch

  .globl simt_start
  .hidden simt_start
  .type simt_start, @function
simt_start:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  call *%rbx
  ud2
  .cfi_endproc
  .size simt_start, . - simt_start
)");

void* prepare(char* stack, size_t size, Fiber* fiber) {
  void** top = reinterpret_cast<void**>(stack + size) - 2;  // 16-byte aligned before the call
  *--top = reinterpret_cast<void*>(simt_start);
  *--top = nullptr;                              // rbp
  *--top = reinterpret_cast<void*>(fiber_main);  // rbx
  *--top = fiber;                                // r12
  for (int i = 0; i < 3; ++i) *--top = nullptr;  // r13, r14, r15
  return top;
}

void switch_to(void** from, void* to) { simt_switch(from, to); }

#else

struct Place {
  ucontext_t context;
};

void enter_main(unsigned low, unsigned high) {
  fiber_main(reinterpret_cast<void*>(uint64_t{low} | uint64_t{high} << 32));
}

void* prepare(char* stack, size_t size, Fiber* fiber) {
  static std::vector<Place*> places;  // one for each stack, made once
  const size_t index = reinterpret_cast<uint64_t>(stack) / size % Fiber::kMost;
  if (places.size() <= index) places.resize(index + 1);
  if (!places[index]) places[index] = new Place;
  Place* place = places[index];
  getcontext(&place->context);
  place->context.uc_stack.ss_sp = stack;
  place->context.uc_stack.ss_size = size;
  const uint64_t bits = reinterpret_cast<uint64_t>(fiber);
  makecontext(&place->context, reinterpret_cast<void (*)()>(enter_main), 2,
              static_cast<unsigned>(bits), static_cast<unsigned>(bits >> 32));
  return place;
}

void switch_to(void** from, void* to) {
  Place here;
  *from = &here;
  swapcontext(&here.context, &static_cast<Place*>(to)->context);
}

#endif

std::vector<Fiber*> pool;
int made = 0;

}  // namespace

char* Fiber::stacks_ = [] {
  void* p = mmap(nullptr, kStack * kMost, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    perror("simt: no address space for the stacks of fibers");
    abort();
  }
  return static_cast<char*>(p);
}();

Fiber* Fiber::take() {
  if (pool.empty()) {
    if (made == kMost) {
      fprintf(stderr, "simt: more than %d threads wait at once\n", kMost);
      abort();
    }
    return new Fiber(stacks_ + kStack * static_cast<size_t>(made++));
  }
  Fiber* fiber = pool.back();
  pool.pop_back();
  return fiber;
}

void Fiber::give(Fiber* fiber) { pool.push_back(fiber); }

void Fiber::reset() { here_ = prepare(stack_, kStack, this); }

void Fiber::enter(void (*work)(void*), void* argument) {
  work_ = work;
  argument_ = argument;
  resume();
}

void Fiber::resume() { switch_to(&host_, here_); }

void Fiber::leave() { switch_to(&here_, host_); }

void Fiber::main(Fiber* self) {
  for (;;) {
    self->work_(self->argument_);
    self->leave();
  }
}

}  // namespace simt
