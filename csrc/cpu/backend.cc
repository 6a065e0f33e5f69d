// The entry point of a CPU kernel library: every family registers its kernels.
#include <initializer_list>

#include "core/kernel.h"
#include "cpu/register.h"

extern "C" __attribute__((visibility("default"))) int fastdl_backend(fastdl::Registry* registry) {
  if (registry->version != fastdl::kBackendVersion) return 1;
  using namespace fastdl::cpu;
  for (const auto family : {register_adaptive_pool, register_batch_norm,
                            register_binary,        register_bitwise,
                            register_conv2d,        register_conv3d,
                            register_copy,          register_count,
                            register_fold,          register_grid_sample,
                            register_gru,           register_index,
                            register_layer_norm,    register_local_response_norm,
                            register_loss,          register_lstm,
                            register_matmul,        register_nms,
                            register_optimizer,     register_peak,
                            register_pool2d,        register_random,
                            register_reduce,        register_resize,
                            register_roi,           register_sample,
                            register_scan,          register_select,
                            register_softmax,       register_sort,
                            register_triangle,      register_unary,
                            register_unpool})
    family(*registry);
  return 0;
}
