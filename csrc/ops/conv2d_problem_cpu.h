// A convolution's shape as the problems that the engines of csrc/cpu solve: the forward pass is one
// part; the gradient by the input is a convolution of dy with the transposed filters, one part for
// each phase of x's rows and columns modulo the stride, with the taps that reach this phase.
#pragma once

#include <algorithm>

#include "cpu/conv2d_problem.h"
#include "ops/conv2d.h"

namespace fastdl::cpu {

class Taps {
 public:
  Taps(const Context& context, const Conv2dShape& s)
      : scratch_(context, static_cast<size_t>(s.r * s.s) * sizeof(Tap)), tap_(scratch_.as<Tap>()) {}

  void add(int64_t row, int64_t col, int64_t weight) { tap_[count_++] = {row, col, weight}; }
  const Tap* data() const { return tap_; }
  int64_t size() const { return count_; }

 private:
  Scratch scratch_;
  Tap* tap_;
  int64_t count_ = 0;
};

inline Window forward_window(const Conv2dShape& s, Taps& taps) {
  for (int64_t r = 0; r < s.r; ++r)
    for (int64_t c = 0; c < s.s; ++c)
      taps.add(r * s.dilation_h - s.pad_h, c * s.dilation_w - s.pad_w, r * s.s + c);
  return {s.c / s.groups, s.h, s.w, s.p, s.q, s.stride_h, s.stride_w, taps.data(), taps.size()};
}

// The problem of the forward pass; its one part and its taps live as long as this.
template <class T>
class ForwardProblem {
 public:
  ForwardProblem(const Context& context, const Conv2dShape& s, Layout layout) : taps_(context, s) {
    forward_window(s, taps_);
    part_ = {0, 0, s.p, s.q, taps_.data(), taps_.size()};
    const int64_t channels = s.c / s.groups, filters = s.k / s.groups, taps = s.r * s.s;
    problem = {};
    problem.samples = s.n, problem.groups = s.groups;
    problem.channels = channels, problem.h = s.h, problem.w = s.w;
    problem.filters = filters, problem.p = s.p, problem.q = s.q;
    problem.stride_h = s.stride_h, problem.stride_w = s.stride_w;
    problem.step_h = problem.step_w = 1;
    problem.parts = &part_, problem.n_parts = 1;
    problem.layout = layout;
    problem.w_group = filters * channels * taps, problem.w_out = channels * taps;
    problem.w_in = problem.w_taps = taps;
  }
  ForwardProblem(const ForwardProblem&) = delete;

  ConvProblem<T> problem;

 private:
  Taps taps_;
  ConvPart part_;
};

// The result's rows (or columns) that are congruent modulo the stride, and a tap's source for the
// first of them.
struct Phase {
  int64_t stride, pad, dilation;

  int64_t count(int64_t size, int64_t phase) const { return (size - phase + stride - 1) / stride; }
  bool reaches(int64_t tap, int64_t phase) const {
    return (phase + pad - tap * dilation) % stride == 0;
  }
  int64_t source(int64_t tap, int64_t phase) const {
    return (phase + pad - tap * dilation) / stride;
  }
};

// The gradient by the input: dy is the source, and channels and filters change places.
template <class T>
class BackwardProblem {
 public:
  BackwardProblem(const Context& context, const Conv2dShape& s, Layout layout)
      : taps_(context, s),
        parts_(context, static_cast<size_t>(std::min(s.stride_h, s.h) * std::min(s.stride_w, s.w)) *
                            sizeof(ConvPart)) {
    const Phase rows{s.stride_h, s.pad_h, s.dilation_h}, cols{s.stride_w, s.pad_w, s.dilation_w};
    ConvPart* part = parts_.as<ConvPart>();
    for (int64_t a = 0; a < std::min(s.stride_h, s.h); ++a)
      for (int64_t b = 0; b < std::min(s.stride_w, s.w); ++b, ++part) {
        const int64_t before = taps_.size();
        // From the last tap to the first, so that sources ascend.
        for (int64_t r = s.r - 1; r >= 0; --r)
          for (int64_t c = s.s - 1; c >= 0; --c)
            if (rows.reaches(r, a) && cols.reaches(c, b))
              taps_.add(rows.source(r, a), cols.source(c, b), r * s.s + c);
        *part = {a,
                 b,
                 rows.count(s.h, a),
                 cols.count(s.w, b),
                 taps_.data() + before,
                 taps_.size() - before};
      }
    const int64_t channels = s.k / s.groups, filters = s.c / s.groups, taps = s.r * s.s;
    problem = {};
    problem.samples = s.n, problem.groups = s.groups;
    problem.channels = channels, problem.h = s.p, problem.w = s.q;
    problem.filters = filters, problem.p = s.h, problem.q = s.w;
    problem.stride_h = problem.stride_w = 1;
    problem.step_h = s.stride_h, problem.step_w = s.stride_w;
    problem.parts = parts_.as<ConvPart>();
    problem.n_parts = part - parts_.as<ConvPart>();
    problem.layout = layout;
    problem.w_group = channels * filters * taps, problem.w_out = taps;
    problem.w_in = filters * taps, problem.w_taps = taps;
  }
  BackwardProblem(const BackwardProblem&) = delete;

  ConvProblem<T> problem;

 private:
  Taps taps_;
  Scratch parts_;
};

}  // namespace fastdl::cpu
