// The door: what a row of the function table asks of its arguments, and the one place that enforces
// it, between the conversion of the arguments and the call. docs/door.md has the language:
//
//   "input: floating [N, C, H, W]; weight: like input [K, C / groups, R, S]; groups: 1.."
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bindings/convert.h"

namespace fastdl::bindings {

// What the door sees of a converted argument. It points into the argument.
struct Value {
  enum Kind : uint8_t { other, tensors, integers, real, word } kind = other;
  int64_t count = 0;
  const Tensor* tensor = nullptr;
  const int64_t* integer = nullptr;
  double number = 0;
  const std::string* text = nullptr;

  template <class T>
  static Value of(const T&) {
    return {};  // None, a generator, a flag: nothing that could be asked
  }
  static Value of(const Tensor& t) { return of(&t, t.defined()); }
  static Value of(PyObject* const& o) { return is_tensor(o) ? of(tensor_of(o)) : Value{}; }  // self
  static Value of(const OptionalTensor& t) { return of(t.tensor); }
  static Value of(const std::vector<Tensor>& t) {
    return of(t.data(), static_cast<int64_t>(t.size()));
  }
  static Value of(const int64_t& i) { return of(&i, 1); }
  template <int N>
  static Value of(const Spatial<N>& s) {
    return of(s.at, N);
  }
  template <int N>
  static Value of(const Padding<N>& p) {
    return p.word ? of(*p.word) : of(p.zeros);
  }
  template <int N>
  static Value of(const SpatialOrNone<N>& s) {
    return of(s.given);
  }
  static Value of(const TensorOrTensors& t) { return of(t.tensors); }
  static Value of(const Dims& d) { return of(d.d, d.n); }
  static Value of(const Ints& i) { return of(i.at.data(), static_cast<int64_t>(i.at.size())); }
  static Value of(const double& x) {
    Value v;
    v.kind = real, v.number = x;
    return v;
  }
  static Value of(const std::string& s) {
    Value v;
    v.kind = word, v.text = &s;
    return v;
  }
  static Value of(const TensorOrNumber& x) {
    return x.tensor.defined() ? of(x.tensor) : of(x.number);
  }
  template <class T>
  static Value of(const std::optional<T>& x) {
    return x ? of(*x) : Value{};
  }
  static Value of(const Tensor* t, int64_t count) {
    Value v;
    v.kind = count ? tensors : other, v.tensor = t, v.count = count;
    return v;
  }
  static Value of(const int64_t* i, int64_t count) {
    Value v;
    v.kind = integers, v.integer = i, v.count = count;
    return v;
  }
};

class Door {
 public:
  // `names` are those of the parameters. A fault in the text is a fault of the library: it throws
  // when the module is imported.
  Door(const std::string& text, std::vector<std::string> names);

  bool asks() const { return !clauses_.empty(); }
  // Throws the typed error of the first thing that does not hold. One value per parameter.
  void check(const char* op, const Value* values) const;

  // A number, a name that stands for a size, or an integer parameter.
  struct Term {
    enum Kind : uint8_t { none, number, name, parameter } kind = none;
    int64_t value = 0;  // the number, or the index of the name or parameter
  };
  struct Size {  // a, a * b or a / b; or any number of sizes
    bool rest = false;
    char op = 0;
    Term a, b;
    std::string text;
  };
  struct Pattern {
    std::vector<Size> sizes;
    int rest = -1;  // which of them is `...`
    std::string text;
  };
  struct Clause {
    int argument = 0;
    uint32_t dtypes = 0;               // one bit each; 0: any
    const char* dtype_name = nullptr;  // "a float", and one that would do
    const char* dtype_example = nullptr;
    int like = -1, dim_of = -1;  // parameters
    bool ranged = false, above = false;
    double low = 0, high = 0;
    int high_of = -1;  // a parameter: `high` times it is the bound
    std::vector<std::string> words;
    std::vector<Pattern> patterns;
    std::vector<Clause> others;  // behind `|`: for tensors whose dtype this one refuses
  };

  static constexpr int kSizes = 16;

 private:
  struct Known;
  std::string origin_of(const Size& s, const Known& known) const;
  std::string pattern_text(const Clause& c, const Value* values, const Known& known) const;
  void check_number(const char* op, const Clause& c, const Value* values) const;
  void check_tensor(const char* op, const Clause& c, const Tensor& t, const Value* values,
                    Known& known) const;
  void check_dim(const char* op, const Clause& c, const Value* values) const;
  void match(const char* op, const Clause& c, const Tensor& t, const Value* values,
             Known& known) const;
  void show(Error& e, const Value* values, bool devices) const;
  [[noreturn]] void fail_devices(const char* op, const Value* values, const std::string& odd,
                                 const Tensor& first) const;
  [[noreturn]] void fail(ErrorKind kind, const char* op, const std::string& problem,
                         const Value* values, const std::string& remedy) const;

  std::vector<std::string> names_;  // of parameters
  std::vector<std::string> sizes_;  // that patterns name, no more than kSizes
  std::vector<Clause> clauses_;     // numbers first: sizes are computed from them
};

}  // namespace fastdl::bindings
