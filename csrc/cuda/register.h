// One function per family of ops: it adds the family's CUDA kernels.
#pragma once

#include "core/kernel.h"

namespace fastdl::cuda {

void register_adaptive_pool(Registry& registry);
void register_batch_norm(Registry& registry);
void register_binary(Registry& registry);
void register_bitwise(Registry& registry);
void register_conv2d(Registry& registry);
void register_conv3d(Registry& registry);
void register_copy(Registry& registry);
void register_count(Registry& registry);
void register_fold(Registry& registry);
void register_grid_sample(Registry& registry);
void register_gru(Registry& registry);
void register_index(Registry& registry);
void register_layer_norm(Registry& registry);
void register_layer_norm_grad(Registry& registry);
void register_local_response_norm(Registry& registry);
void register_loss(Registry& registry);
void register_lstm(Registry& registry);
void register_matmul(Registry& registry);
void register_nms(Registry& registry);
void register_optimizer(Registry& registry);
void register_pool2d(Registry& registry);
void register_random(Registry& registry);
void register_reduce(Registry& registry);
void register_resize(Registry& registry);
void register_roi(Registry& registry);
void register_sample(Registry& registry);
void register_scan(Registry& registry);
void register_select(Registry& registry);
void register_softmax(Registry& registry);
void register_sort(Registry& registry);
void register_triangle(Registry& registry);
void register_unary(Registry& registry);
void register_unpool(Registry& registry);

}  // namespace fastdl::cuda
