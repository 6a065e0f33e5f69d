// One error type for C++, which the bindings turn into the Python class of its kind
// (python/fastdl/errors.py). An error says what op failed and why, shows the operands, and offers
// one remedy:
//
//   throw Error(ErrorKind::shape, "matmul", text("inner sizes ", k, " and ", k2, " differ"))
//       .show("input", a).show("other", b).remedy("transpose one operand");
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/fwd.h"

namespace fastdl {

enum class ErrorKind {
  shape,
  dtype,
  device,
  out_of_memory,
  format,
  index,
  argument,
  autograd,
  capture,
  interrupted
};

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string op, std::string problem)
      : kind(kind), op(std::move(op)), problem(std::move(problem)) {}

  Error& show(std::string name, std::string value);
  Error& show(std::string name,
              const Tensor& value);  // "float32[2, 3]", with the device if not cpu
  Error& remedy(std::string advice);
  // Names the op where what threw did not know it (an allocation): the innermost that does, wins.
  Error& by(const std::string& name) {
    if (op.empty()) op = name;
    return *this;
  }
  const char* what() const noexcept override { return problem.c_str(); }

  ErrorKind kind;
  std::string op, problem, advice;
  std::vector<std::pair<std::string, std::string>> details;
};

// Thrown where the interpreter has an exception set (KeyboardInterrupt): nothing to add.
struct Interrupted : std::exception {};

}  // namespace fastdl
