#include "autograd/anomaly.h"

#include "autograd/arithmetic.h"
#include "autograd/variable.h"
#include "core/error.h"

namespace fastdl {

namespace {
bool detecting = false;
}
bool anomaly_detection() { return detecting; }
void set_anomaly_detection(bool on) { detecting = on; }

void check_no_nan(const char* op, const char* what, const Tensor& t) {
  if (!t.defined() || !is_floating(t.dtype())) return;
  GradMode off(false);
  if (gradient_arithmetic.has_nan(t))
    throw Error(ErrorKind::autograd, op, text("made a NaN in its ", what))
        .show(what, t)
        .remedy(
            "look at the operands of this op: 0/0, log or sqrt below zero, or an overflow before");
}

}  // namespace fastdl
