#include "ops/optimizer.h"

#include "autograd/inplace.h"
#include "ops/common.h"
#include "ops/copy.h"

namespace fastdl {
namespace {

// One slot per parameter that has a gradient. `copies` keeps gradients made contiguous alive.
std::vector<OptimizerSlot> slots_of(const char* op, const std::vector<Tensor>& params,
                                    const std::vector<Tensor>& grads,
                                    const std::vector<Tensor>& first,
                                    const std::vector<Tensor>& second,
                                    std::vector<Tensor>& copies) {
  const auto check_count = [&](const char* name, const std::vector<Tensor>& list) {
    if (list.size() != params.size())
      throw argument_error(op, text(list.size(), " ", name, " for ", params.size(), " parameters"))
          .remedy("pass one for each");
  };
  check_count("gradients", grads);
  if (!first.empty()) check_count("first moments", first);
  if (!second.empty()) check_count("second moments", second);
  std::vector<OptimizerSlot> slots;
  slots.reserve(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    const Tensor& p = params[i];
    Tensor g = grads[i];
    const Layout layout = layout_of(p);
    const Tensor m = first.empty() ? Tensor() : first[i], v = second.empty() ? Tensor() : second[i];
    for (const Operand& o :
         {Operand{"gradient", g}, Operand{"first moment", m}, Operand{"second moment", v}}) {
      if (!o.tensor.defined()) continue;
      check_same_kind(op, {{"parameter", p}, o});
      if (o.tensor.shape() != p.shape())
        throw shape_error(op, text("the ", o.name, " is not like its parameter"))
            .show("parameter", p)
            .show(o.name, o.tensor)
            .remedy("make the shapes equal");
    }
    for (const Tensor* t : {&p, &m, &v}) {
      if (!t->defined()) continue;
      if (!lies_in(layout, *t) || t->storage().readonly)
        throw argument_error(op,
                             "a parameter or its state has gaps, another memory format than the "
                             "parameter, or cannot be written")
            .show("tensor", *t)
            .remedy("use a .clone()");
    }
    if (!lies_in(layout, g)) copies.push_back(g = in_layout(g, layout));
    if (p.device() != params[0].device() || p.dtype() != params[0].dtype())
      check_same_kind(op, {{"first parameter", params[0]}, {"parameter", p}});
    slots.push_back({p.numel(), p.mutable_data(), g.data(),
                     m.defined() ? m.mutable_data() : nullptr,
                     v.defined() ? v.mutable_data() : nullptr});
  }
  return slots;
}

template <class K, class Options>
void run(const char* op, const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
         const std::vector<Tensor>& first, const std::vector<Tensor>& second,
         const Options& options, std::function<void(Options&)>&& next) {
  if (params.empty()) return;
  GradMode off(false);
  std::vector<Tensor> copies;
  const std::vector<OptimizerSlot> slots = slots_of(op, params, grads, first, second, copies);
  int64_t work = 0;
  for (const OptimizerSlot& s : slots) work += s.n;
  launch<K>(op, params[0].device(), params[0].dtype(), work,
            Live<Options>{options, std::move(next)}, host_array(slots),
            static_cast<int64_t>(slots.size()));
  for (const auto* list : {&params, &first, &second})
    for (const Tensor& t : *list) bump_version(t);
}

}  // namespace

void sgd_step(const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
              const std::vector<Tensor>& momentum, const SgdOptions& options,
              std::function<void(SgdOptions&)> next) {
  if (!params.empty() && momentum.empty() && options.momentum != 0)
    throw argument_error("sgd_step", text("momentum is ", options.momentum, ", without buffers"))
        .remedy("pass one buffer for each parameter");
  run<sgd_update>("sgd_step", params, grads, momentum, {}, options, std::move(next));
}

Tensor unscale_grads(const std::vector<Tensor>& grads, const Tensor& scale) {
  constexpr const char* op = "unscale_grads";
  if (grads.empty())
    throw argument_error(op, "there are no gradients").remedy("call backward() first");
  if (scale.numel() != 1 || scale.dtype() != DType::f32)
    throw argument_error(op, "the scale is no single float32")
        .show("scale", scale)
        .remedy("pass a float32 tensor of one element");
  GradMode off(false);
  const Tensor found = empty({}, DType::f32, scale.device());
  std::vector<OptimizerSlot> slots;
  std::vector<Tensor> dense;  // where a gradient has gaps
  int64_t work = 0;
  slots.reserve(grads.size());
  for (const Tensor& g : grads) {
    check_editable(op, g);
    check_same_kind(op, {{"first gradient", grads[0]}, {"gradient", g}});
    if (g.device() != scale.device())
      throw Error(ErrorKind::device, op, "the scale is on another device")
          .show("gradient", g)
          .show("scale", scale)
          .remedy("move the scale");
    dense.push_back(lies_in(layout_of(g), g) ? g : contiguous(g));
    slots.push_back({g.numel(), dense.back().mutable_data(), nullptr, nullptr, nullptr});
    work += g.numel();
  }
  launch<unscale_update>(op, scale.device(), grads[0].dtype(), work, host_array(slots),
                         static_cast<int64_t>(slots.size()), scale.as<const float>(),
                         found.as<float>());
  for (size_t i = 0; i < grads.size(); ++i) {
    if (dense[i].data() != grads[i].data()) copy_(grads[i], dense[i]);
    bump_version(grads[i]);
  }
  return found;
}

void adam_step(const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
               const std::vector<Tensor>& first, const std::vector<Tensor>& second,
               const AdamOptions& options, std::function<void(AdamOptions&)> next) {
  if (!params.empty() && (first.empty() || second.empty()))
    throw argument_error("adam_step", "both moments are needed")
        .remedy("pass lists of zeros at the first step");
  if (options.step < 1)
    throw argument_error("adam_step", text("step is ", options.step)).remedy("count steps from 1");
  run<adam_update>("adam_step", params, grads, first, second, options, std::move(next));
}

}  // namespace fastdl
