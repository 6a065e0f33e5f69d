// The backward pass.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace fastdl {

// Runs back from `outputs` with the gradients `grad_outputs` (an undefined one means ones, for a
// single element). `create_graph` records the pass itself, for higher derivatives; `retain_graph`
// keeps what was saved, for another pass.
//
// backward() adds into the .grad of every leaf; should anything fail, no .grad has changed.
void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs,
              bool retain_graph, bool create_graph);
// gradients() returns those of `inputs` (undefined where there is no path) and changes no .grad.
std::vector<Tensor> gradients(const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& grad_outputs,
                              const std::vector<Tensor>& inputs, bool retain_graph,
                              bool create_graph);

}  // namespace fastdl
