// The options of a convolution from the arguments of its rows.
#pragma once

#include "bindings/convert.h"
#include "ops/conv.h"

namespace fastdl::bindings {

template <int N>
Dims dims_of(const Spatial<N>& s) {
  Dims out;
  for (int64_t size : s.at) out.push(size);
  return out;
}

template <int N>
ConvOptions conv_options(const Spatial<N>& stride, const Padding<N>& padding,
                         const Spatial<N>& dilation, int64_t groups) {
  return {dims_of(stride), dims_of(padding.zeros), dims_of(dilation), groups,
          padding.word == "same"};
}

}  // namespace fastdl::bindings
