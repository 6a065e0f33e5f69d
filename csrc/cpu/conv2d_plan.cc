// The costs are cycles counted in the loops and fitted to what was measured (docs/kernels/conv2d.md):
// multiply-adds at two registers a cycle, and what tiles, runs and transpositions add. They need to
// be right about which candidate is least, not about time.
#include "cpu/conv2d_plan.h"

#include <cmath>
#include <limits>

#include "cpu/conv2d_pack.h"
#include "cpu/conv2d_samples.h"
#include "cpu/conv2d_winograd.h"

namespace fastdl::cpu {
namespace {

double up(int64_t a, int64_t b) { return static_cast<double>((a + b - 1) / b); }

template <class T>
double positions_of(const ConvProblem<T>& c) {
  return static_cast<double>(c.samples * c.groups) * static_cast<double>(c.p) *
         static_cast<double>(c.q);
}

// Multiply-adds over all parts, whose positions share the result evenly.
template <class T>
double depth_of(const ConvProblem<T>& c) {
  double taps = 0;
  for (int64_t i = 0; i < c.n_parts; ++i) taps += static_cast<double>(c.parts[i].n_taps);
  return taps / static_cast<double>(std::max<int64_t>(c.n_parts, 1)) *
         static_cast<double>(c.channels);
}

constexpr double kTransposed = 0.4;  // cycles an element of float32 in registers of 16

template <class T>
double shift_cycles(const ConvProblem<T>& c) {
  // The columns between rows are computed too; strided results are stored one by one.
  const double wide = static_cast<double>(c.q + std::min<int64_t>(c.w_taps, 4)) /
                      static_cast<double>(std::max<int64_t>(c.q, 1));
  const double macs = positions_of(c) * depth_of(c) * static_cast<double>(c.filters) * wide;
  const double stores = c.step_w > 1 ? positions_of(c) * static_cast<double>(c.filters) : 0;
  return macs / (2 * Vec<T>::size) * 1.25 + stores;
}

template <class T>
double direct_cycles(const ConvProblem<T>& c) {
  const double panels = static_cast<double>(padded_filters<T>(c.filters)) / kChannelCols<T>;
  const double runs = depth_of(c) / static_cast<double>(std::max<int64_t>(c.channels, 1));
  const double tiles = positions_of(c) / kChannelRows;
  double cycles = tiles * panels * (1.04 * kChannelRows * depth_of(c) + 10 * runs + 50);
  const double lanes = 16.0 / Vec<T>::size;
  if (c.layout == Layout::first)
    cycles += kTransposed * lanes *
              (positions_of(c) * panels * kChannelCols<T> +
               static_cast<double>(c.samples * c.groups * c.h * c.w) *
                   static_cast<double>(padded_filters<T>(c.channels)));
  return cycles;
}

template <class T, int M>
double winograd_cycles(const ConvProblem<T>& c) {
  constexpr double points = (M + 2) * (M + 2), source = M == 4 ? 120 : 45;
  constexpr double result = M == 4 ? 110 : 45, filter = M == 4 ? 100 : 50;
  const double tiles = static_cast<double>(c.samples * c.groups) * up(c.p, M) * up(c.q, M);
  const double channels = static_cast<double>(c.channels), size = Vec<T>::size;
  const double filters = static_cast<double>(padded_filters<T>(c.filters));
  double cycles = tiles * points * channels * filters / (2 * size) * 1.15 +
                  tiles * (channels * source + filters * result) / size +
                  static_cast<double>(c.groups) * channels * filters * filter / size;
  if (c.layout == Layout::first)
    cycles += kTransposed * 16 / size * tiles * M * M * (channels * 1.5 + filters);
  return cycles;
}

template <class T>
double samples_cycles(const ConvProblem<T>& c, double macs) {
  const double registers = up(c.samples, Vec<T>::size);
  const double channels = static_cast<double>(std::max<int64_t>(c.channels, 1));
  const double elements = static_cast<double>(c.groups * c.channels * c.h * c.w) +
                          static_cast<double>(c.groups * c.filters * c.p * c.q);
  // A tap of a tile of filters begins anew, a register without a second one waits for broadcasts,
  // and each sample is transposed there and back.
  const double pairs = registers + (std::fmod(registers, 2) > 0 ? 0.3 : 0);
  return pairs * macs * (0.55 + 3 / channels / static_cast<double>(c.filters)) +
         kTransposed * 16 * registers * elements;
}

}  // namespace

template <class T>
ConvPlan plan_conv(const ConvProblem<T>& c, bool winograd) {
  ConvPlan plan;
  for (double& cycles : plan.cycles) cycles = std::numeric_limits<double>::infinity();
  for (double& m : plan.multiplications) m = 0;
  const auto candidate = [&](ConvAlgorithm algorithm, double cycles, double multiplications) {
    plan.cycles[static_cast<int>(algorithm)] = cycles;
    plan.multiplications[static_cast<int>(algorithm)] = multiplications;
  };
  const double filters = static_cast<double>(c.filters);
  const double macs = positions_of(c) * depth_of(c) * filters;
  if (c.layout == Layout::first) candidate(ConvAlgorithm::shift, shift_cycles(c), macs);
  candidate(ConvAlgorithm::direct, direct_cycles(c), macs);
  if constexpr (std::is_same_v<T, float>) {
    if (winograd && winograd_applies(c)) {
      const double tiles2 = static_cast<double>(c.samples * c.groups) * up(c.p, 2) * up(c.q, 2);
      const double tiles4 = static_cast<double>(c.samples * c.groups) * up(c.p, 4) * up(c.q, 4);
      const double each = static_cast<double>(c.channels) * filters;
      candidate(ConvAlgorithm::winograd2, winograd_cycles<T, 2>(c), tiles2 * 16 * each);
      candidate(ConvAlgorithm::winograd4, winograd_cycles<T, 4>(c), tiles4 * 36 * each);
    }
  }
  if (samples_applies(c)) {
    const double each = static_cast<double>(samples_macs(c));
    candidate(ConvAlgorithm::samples, samples_cycles(c, each),
              each * static_cast<double>(c.samples));
  }
  int best = static_cast<int>(ConvAlgorithm::direct);
  for (int i = 0; i < kConvAlgorithms; ++i)
    if (plan.cycles[i] < plan.cycles[best]) best = i;
  plan.chosen = static_cast<ConvAlgorithm>(best);
  return plan;
}

template ConvPlan plan_conv(const ConvProblem<float>&, bool);
template ConvPlan plan_conv(const ConvProblem<double>&, bool);

}  // namespace fastdl::cpu
