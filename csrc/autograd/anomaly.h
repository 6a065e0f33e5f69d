// Anomaly mode: every recorded result and every gradient is searched for NaN, and the op that made
// the first one is named.
#pragma once

#include "core/tensor.h"

namespace fastdl {

bool anomaly_detection();
void set_anomaly_detection(bool on);
// Throws AutogradError naming the op where `t` holds a NaN. `what`: "result" or "gradient".
void check_no_nan(const char* op, const char* what, const Tensor& t);

}  // namespace fastdl
