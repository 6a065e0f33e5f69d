#include "bindings/door.h"

#include <cmath>

#include "ops/common.h"

namespace fastdl::bindings {

// The sizes that names stand for, and the sizes behind each `...`, as far as they were met.
struct Door::Known {
  int64_t size[kSizes];
  int argument[kSizes], dim[kSizes];  // where each size was met first
  const int64_t* rest[kSizes];
  int rests[kSizes];
  uint32_t met = 0, met_rest = 0;
  size_t alternatives = 0, chosen = 0;  // of the last clause that had several

  std::string rest_text(int name) const {
    Dims sizes;
    for (int i = 0; i < rests[name]; ++i) sizes.push(rest[name][i]);
    return str(sizes);
  }
  bool has(const Term& t) const {
    return t.kind != Term::name || (met >> static_cast<int>(t.value) & 1);
  }
};

namespace {

std::string number(double x) {
  const double whole = std::nearbyint(x);
  return whole == x && std::abs(x) < 1e15 ? std::to_string(static_cast<int64_t>(whole)) : text(x);
}

std::string plural(int64_t n, const char* what) { return text(n, " ", what, n == 1 ? "" : "s"); }

int64_t value_of(const Door::Term& t, const int64_t* sizes, const Value* values) {
  if (t.kind == Door::Term::number) return t.value;
  if (t.kind == Door::Term::name) return sizes[t.value];
  const Value& v = values[t.value];
  return v.kind == Value::integers && v.count == 1 ? *v.integer : 1;
}

}  // namespace

// Shows every tensor, by the name of its argument.
void Door::show(Error& e, const Value* values, bool devices) const {
  for (size_t i = 0; i < names_.size(); ++i)
    for (int64_t k = 0; values[i].kind == Value::tensors && k < values[i].count; ++k) {
      const Tensor& t = values[i].tensor[k];
      if (!t.defined()) continue;
      const std::string name = values[i].count > 1 ? text(names_[i], "[", k, "]") : names_[i];
      if (devices && t.device().is_cpu())
        e.show(name, describe(t) + " on cpu");
      else
        e.show(name, t);
    }
}

void Door::fail(ErrorKind kind, const char* op, const std::string& problem, const Value* values,
                const std::string& remedy) const {
  Error e(kind, op, problem);
  show(e, values, false);
  throw e.remedy(remedy);
}

void Door::fail_devices(const char* op, const Value* values, const std::string& odd,
                        const Tensor& first) const {
  Error e(ErrorKind::device, op, "the operands are on different devices");
  show(e, values, true);
  throw e.remedy(text("move ", odd, " with .to('", name_of(first.device()), "')"));
}

void Door::check_number(const char* op, const Clause& c, const Value* values) const {
  const Value& v = values[c.argument];
  const std::string& name = names_[static_cast<size_t>(c.argument)];
  const auto refuse = [&](const auto& x, double high) {
    std::string range = text("of ", number(c.low), " or more");
    if (c.above) range = text("above ", number(c.low));
    if (!std::isinf(high))
      range = std::isinf(c.low) ? text("of at most ", number(high))
                                : text("from ", number(c.low), " to ", number(high));
    fail(ErrorKind::argument, op, text(name, " is ", x), values, text("use a ", name, " ", range));
  };
  const auto fits = [&](double x, double high) {
    return (c.above ? x > c.low : x >= c.low) && x <= high;  // false for NaN
  };
  if (v.kind == Value::real && !fits(v.number, c.high)) refuse(v.number, c.high);
  for (int64_t i = 0; v.kind == Value::integers && i < v.count; ++i) {
    double high = c.high;
    if (c.high_of >= 0) {
      const Value& of = values[c.high_of];
      if (of.kind != Value::integers || of.count == 0) continue;
      high = std::floor(c.high * static_cast<double>(of.integer[std::min(i, of.count - 1)]));
    }
    if (!fits(static_cast<double>(v.integer[i]), high)) refuse(v.integer[i], high);
  }
}

void Door::check_dim(const char* op, const Clause& c, const Value* values) const {
  const Value &v = values[c.argument], &of = values[c.dim_of];
  if (v.kind != Value::integers || of.kind != Value::tensors) return;
  const std::string& name = names_[static_cast<size_t>(c.argument)];
  const int ndim = std::max(of.tensor->dim(), 1);  // dim 0 of a lone number is allowed
  uint64_t seen = 0;
  for (int64_t i = 0; i < v.count; ++i) {
    if (v.integer[i] < -ndim || v.integer[i] >= ndim)
      fail(ErrorKind::index, op,
           text(name, " ", v.integer[i], " does not exist: ", names_[static_cast<size_t>(c.dim_of)],
                " has ", plural(of.tensor->dim(), "dimension")),
           values, text("use a ", name, " from ", -ndim, " to ", ndim - 1));
    const uint64_t bit = uint64_t{1} << (v.integer[i] < 0 ? v.integer[i] + ndim : v.integer[i]);
    if (seen & bit)
      fail(ErrorKind::argument, op, text(name, " names dimension ", v.integer[i], " twice"), values,
           "name each dimension once");
    seen |= bit;
  }
}

// " (channels: dimension 1 of input)", of the names in a size.
std::string Door::origin_of(const Size& s, const Known& known) const {
  std::string out;
  for (const Term& t : {s.a, s.b}) {
    if (t.kind != Term::name) continue;
    const std::string place = text("dimension ", known.dim[t.value], " of ",
                                   names_[static_cast<size_t>(known.argument[t.value])]);
    out += out.empty() ? " (" : ", ";
    out += s.op ? text(sizes_[static_cast<size_t>(t.value)], ": ", place) : place;
  }
  return out.empty() ? out : out + ")";
}

// "[N, 4 * hidden_size], here [3, 20]", of the alternatives that are still possible.
std::string Door::pattern_text(const Clause& c, const Value* values, const Known& known) const {
  const bool follows = c.patterns.size() > 1 && c.patterns.size() == known.alternatives;
  std::string asked, here;
  for (size_t i = 0; i < c.patterns.size(); ++i) {
    if (follows && i != known.chosen) continue;
    asked += (asked.empty() ? "" : " or ") + c.patterns[i].text;
    here.clear();
    for (const Size& s : c.patterns[i].sizes) {
      here += here.empty() ? "" : ", ";
      const bool has = known.has(s.a) && known.has(s.b);
      if (s.rest && s.a.kind == Term::name && known.met_rest >> s.a.value & 1) {
        const std::string sizes = known.rest_text(static_cast<int>(s.a.value));
        here += sizes.substr(1, sizes.size() - 2);
      } else if (s.rest || !has) {
        here += s.text;
      } else {
        const int64_t a = value_of(s.a, known.size, values);
        const int64_t b = s.op ? value_of(s.b, known.size, values) : 1;
        here += s.op == '/' && (b == 0 || a % b != 0) ? s.text
                                                      : std::to_string(s.op == '/' ? a / b : a * b);
      }
    }
    here = "[" + here + "]";
  }
  const bool one = follows || c.patterns.size() == 1;
  return one && here != asked ? asked + ", here " + here : asked;
}

void Door::match(const char* op, const Clause& c, const Tensor& t, const Value* values,
                 Known& known) const {
  const std::string& name = names_[static_cast<size_t>(c.argument)];
  const Pattern* fitting = nullptr;
  const size_t count = c.patterns.size();
  const bool follows = count > 1 && count == known.alternatives;
  for (size_t i = follows ? known.chosen : 0; i < (follows ? known.chosen + 1 : count); ++i) {
    const Pattern& p = c.patterns[i];
    const int n = static_cast<int>(p.sizes.size());
    if (p.rest < 0 ? t.dim() != n : t.dim() < n - 1) continue;
    fitting = &p;
    if (count > 1) known.alternatives = count, known.chosen = i;
    break;
  }
  const auto refuse = [&](const std::string& problem) {
    fail(ErrorKind::shape, op, problem, values,
         text("pass ", name, " of shape ", pattern_text(c, values, known)));
  };
  if (!fitting) {
    const Pattern& p = c.patterns[follows ? known.chosen : 0];
    refuse(text(name, " has ", plural(t.dim(), "dimension"), ", not ", p.text));
  }
  const int extra = t.dim() - static_cast<int>(fitting->sizes.size()) + 1;  // behind `...`
  int at = 0;
  for (const Size& s : fitting->sizes) {
    if (s.rest) {
      const int64_t* const sizes = t.shape().d + at;
      at += extra;
      if (s.a.kind != Term::name) continue;
      const int rest = static_cast<int>(s.a.value);
      if (!(known.met_rest >> rest & 1)) {
        known.rest[rest] = sizes, known.rests[rest] = extra;
        known.met_rest |= 1u << rest;
      } else if (known.rests[rest] != extra ||
                 !std::equal(sizes, sizes + extra, known.rest[rest])) {
        refuse(fitting->sizes.size() == 1
                   ? text(name, " has shape ", str(t.shape()), ", not ", known.rest_text(rest),
                          "; nothing broadcasts here")
                   : text(s.text, " is ", known.rest_text(rest), " in an earlier argument, but ",
                          name, " has shape ", str(t.shape())));
      }
      continue;
    }
    const int64_t size = t.shape()[at];
    const int dim = at++;
    const bool has_a = known.has(s.a), has_b = known.has(s.b);
    const auto bind = [&](const Term& term, int64_t value) {
      known.size[term.value] = value;
      known.argument[term.value] = c.argument, known.dim[term.value] = dim;
      known.met |= 1u << static_cast<int>(term.value);
    };
    if (has_a && has_b) {
      const int64_t a = value_of(s.a, known.size, values);
      const int64_t b = s.op ? value_of(s.b, known.size, values) : 1;
      const bool divides = s.op != '/' || (b != 0 && a % b == 0);
      if (!divides)
        fail(ErrorKind::shape, op, text(s.text, " is ", a, " / ", b, origin_of(s, known)), values,
             text("make ", a, " a multiple of ", b, ", so that ", s.text, " is a whole number"));
      int64_t want = a;
      if (s.op == '/') want = a / b;
      if (s.op == '*') want = checked_mul(op, a, b);
      if (size != want)
        refuse(text("dimension ", dim, " of ", name, " is ", size, ", but ", s.text, " is ",
                    s.op ? text(a, " ", s.op, " ", b, " = ", want) : text(want),
                    origin_of(s, known)));
    } else if (!s.op) {
      bind(s.a, size);
    } else if (s.op == '/' && !has_a) {  // C / groups, C not yet known
      bind(s.a, checked_mul(op, size, value_of(s.b, known.size, values)));
    } else if (s.op == '*') {  // 4 * H, H not yet known
      const int64_t factor = value_of(has_a ? s.a : s.b, known.size, values);
      if (factor == 0 || size % factor != 0)
        refuse(text("dimension ", dim, " of ", name, " is ", size, ", not ", s.text));
      bind(has_a ? s.b : s.a, size / factor);
    }
  }
}

void Door::check_tensor(const char* op, const Clause& c, const Tensor& t, const Value* values,
                        Known& known) const {
  const std::string& name = names_[static_cast<size_t>(c.argument)];
  const auto takes = [&](const Clause& one) {
    return !one.dtypes || (one.dtypes >> static_cast<int>(t.dtype()) & 1);
  };
  for (const Clause& other : c.others)
    if (!takes(c) && takes(other) && (other.like < 0 || is_floating(t.dtype())))
      return check_tensor(op, other, t, values, known);
  if (!takes(c))
    fail(ErrorKind::dtype, op, text(name, " is ", name_of(t.dtype()), ", not ", c.dtype_name),
         values, text("convert it with ", name, ".to(fastdl.", c.dtype_example, ")"));
  if (c.like >= 0 && values[c.like].kind == Value::tensors)
    if (const DType want = values[c.like].tensor->dtype(); want != t.dtype())
      fail(ErrorKind::dtype, op,
           text(name, " is ", name_of(t.dtype()), " where ", names_[static_cast<size_t>(c.like)],
                " is ", name_of(want)),
           values, text("convert it with ", name, ".to(fastdl.", name_of(want), ")"));
  if (!c.patterns.empty()) match(op, c, t, values, known);
}

void Door::check(const char* op, const Value* values) const {
  Known known;
  const Tensor* first = nullptr;
  for (const Clause& c : clauses_) {
    const Value& v = values[c.argument];
    if (v.kind == Value::other) continue;
    if (c.ranged) check_number(op, c, values);
    if (c.dim_of >= 0) check_dim(op, c, values);
    if (v.kind == Value::word && !c.words.empty()) {
      std::string all;
      bool found = false;
      for (const std::string& w : c.words) {
        found = found || w == *v.text;
        all += text(all.empty() ? "" : ", ", "'", w, "'");
      }
      if (!found)
        fail(ErrorKind::argument, op,
             text("unknown ", names_[static_cast<size_t>(c.argument)], " '", *v.text, "'"), values,
             text("use one of ", all));
    }
    for (int64_t i = 0; v.kind == Value::tensors && i < v.count; ++i) {
      const Tensor& t = v.tensor[i];
      if (!t.defined()) continue;
      if (!first) first = &t;
      if (t.device() != first->device())
        fail_devices(op, values, names_[static_cast<size_t>(c.argument)], *first);
      check_tensor(op, c, t, values, known);
    }
  }
}

}  // namespace fastdl::bindings
