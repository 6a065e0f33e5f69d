// simt_programs            lists the programs
// simt_programs NAME       runs the planted fault; prints what the model said
// simt_programs NAME fixed runs it without the bug
// The result is 0 if no launch failed and no result was wrong, else 1.
#include <cstdio>
#include <cstring>

#include "faults/fault.h"

int main(int argc, char** argv) {
  using simt_test::Program;
  if (argc < 2) {
    for (Program* p = Program::first(); p; p = p->next) puts(p->name);
    return 0;
  }
  for (Program* p = Program::first(); p; p = p->next) {
    if (strcmp(p->name, argv[1])) continue;
    p->run(argc < 3);
    cudaDeviceSynchronize();
    const cudaError_t code = cudaGetLastError();
    if (code != cudaSuccess || simt_test::failures() == 0) puts(cudaGetErrorString(code));
    return code != cudaSuccess || simt_test::failures() > 0;
  }
  fprintf(stderr, "no program %s\n", argv[1]);
  return 2;
}
