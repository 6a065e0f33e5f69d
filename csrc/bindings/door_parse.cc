// The door's language (docs/door.md), read when the module is imported.
#include <algorithm>
#include <limits>
#include <stdexcept>

#include "bindings/door.h"
#include "ops/common.h"

namespace fastdl::bindings {
namespace {

std::string trim(const std::string& s) {
  const size_t first = s.find_first_not_of(" \n"), last = s.find_last_not_of(" \n");
  return first == std::string::npos ? "" : s.substr(first, last - first + 1);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at; (at = text.find(separator, begin)) != std::string::npos;
       begin = at + separator.size())
    parts.push_back(trim(text.substr(begin, at - begin)));
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

constexpr uint32_t bits(std::initializer_list<DType> dtypes) {
  uint32_t out = 0;
  for (DType t : dtypes) out |= 1u << static_cast<int>(t);
  return out;
}

struct DTypeClass {
  const char* name;
  uint32_t dtypes;
  const char* said;
  const char* example;
};
constexpr uint32_t kFloating = bits({DType::f16, DType::bf16, DType::f32, DType::f64});
constexpr uint32_t kInteger = bits({DType::i32, DType::i64, DType::u8});
constexpr DTypeClass kClasses[] = {
    {"floating", kFloating, "a float", "float32"},
    {"real", bits({DType::f32, DType::f64}), "float32 or float64", "float32"},
    {"integer", kInteger, "int64, int32 or uint8", "int64"},
    {"number", kFloating | kInteger, "a number", "float32"},
    {"index", bits({DType::i64}), "int64", "int64"},
    {"bool", bits({DType::boolean}), "bool", "bool_"}};

struct Reader {
  const std::string& text;  // the whole, for the message
  const std::vector<std::string>& names;
  std::vector<std::string>& sizes;

  [[noreturn]] void fault(const std::string& part) const {
    throw std::logic_error("door \"" + text + "\": cannot read \"" + part + "\"");
  }
  int parameter(const std::string& name) const {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) fault(name);
    return static_cast<int>(at - names.begin());
  }
  Door::Term term(const std::string& s) const {
    if (s.empty()) fault(s);
    if (std::all_of(s.begin(), s.end(), isdigit)) return {Door::Term::number, std::stoll(s)};
    if (!std::all_of(s.begin(), s.end(), [](char c) { return isalnum(c) || c == '_'; })) fault(s);
    if (std::find(names.begin(), names.end(), s) != names.end())
      return {Door::Term::parameter, parameter(s)};
    const auto at = std::find(sizes.begin(), sizes.end(), s) - sizes.begin();
    if (at == static_cast<int64_t>(sizes.size())) sizes.push_back(s);
    if (at >= Door::kSizes) fault(s);
    return {Door::Term::name, at};
  }
  Door::Size size(const std::string& s) const {
    Door::Size out;
    out.text = s;
    if (s.rfind("...", 0) == 0) {
      out.rest = true;
      if (s.size() > 3) out.a = term(trim(s.substr(3)));
      return out;
    }
    for (const char* op : {" * ", " / "})
      if (const auto sides = split(s, op); sides.size() == 2) {
        out.a = term(sides[0]), out.b = term(sides[1]), out.op = op[1];
        return out;
      }
    out.a = term(s);
    return out;
  }
  Door::Pattern pattern(const std::string& s) const {
    if (s.size() < 2 || s.front() != '[' || s.back() != ']') fault(s);
    Door::Pattern out;
    out.text = s;
    const std::string inside = trim(s.substr(1, s.size() - 2));
    if (inside.empty()) return out;
    for (const std::string& one : split(inside, ",")) {
      if (one.rfind("...", 0) == 0) {
        if (out.rest >= 0) fault(s);
        out.rest = static_cast<int>(out.sizes.size());
      }
      out.sizes.push_back(size(one));
    }
    return out;
  }
  double bound(const std::string& s, double none) const {
    if (s.empty()) return none;
    if (s == "window") return static_cast<double>(kMaxWindow);
    if (s == "-window") return -static_cast<double>(kMaxWindow);
    size_t used = 0;
    const double value = std::stod(s, &used);
    if (used != s.size()) fault(s);
    return value;
  }

  // One clause after its names, read word by word from the left.
  Door::Clause clause(std::string rest) const {
    constexpr double inf = std::numeric_limits<double>::infinity();
    Door::Clause c;
    rest = rest.substr(0, rest.find(" values "));  // which the kernel that reads them enforces
    while (!(rest = trim(rest)).empty()) {
      if (rest[0] == '[') {
        for (const std::string& one : split(rest, " or ")) c.patterns.push_back(pattern(one));
        break;
      }
      const size_t end = std::min(rest.find(' '), rest.size());
      const std::string word = rest.substr(0, end);
      rest = trim(rest.substr(end));
      const auto next = [&] {
        const size_t cut = std::min(rest.find(' '), rest.size());
        const std::string out = rest.substr(0, cut);
        rest = trim(rest.substr(cut));
        return out;
      };
      if (word == "like") {
        c.like = parameter(next());
      } else if (word == "dim" && next() == "of") {
        c.dim_of = parameter(next());
      } else if (word == "one" && next() == "of") {
        while (!rest.empty()) c.words.push_back(next());
      } else if (word == "above") {
        c.ranged = c.above = true, c.low = bound(next(), 0), c.high = inf;
      } else if (const size_t dots = word.find(".."); dots != std::string::npos) {
        c.ranged = true;
        const std::string high = word.substr(dots + 2);
        c.low = bound(word.substr(0, dots), -inf);
        if (const size_t slash = high.find('/'); slash != std::string::npos) {
          c.high_of = parameter(high.substr(0, slash));
          c.high = 1 / std::stod(high.substr(slash + 1));
        } else {
          c.high = bound(high, inf);
        }
      } else {
        const auto known = std::find_if(std::begin(kClasses), std::end(kClasses),
                                        [&](const DTypeClass& k) { return word == k.name; });
        if (known == std::end(kClasses)) fault(word);
        c.dtypes = known->dtypes;
        c.dtype_name = known->said, c.dtype_example = known->example;
      }
    }
    return c;
  }
};

}  // namespace

Door::Door(const std::string& text, std::vector<std::string> names) : names_(std::move(names)) {
  const Reader read{text, names_, sizes_};
  for (const std::string& part : split(text, ";")) {
    if (part.empty()) continue;
    const size_t colon = part.find(':');
    if (colon == std::string::npos) read.fault(part);
    const std::vector<std::string> kinds = split(part.substr(colon + 1), " | ");
    Clause c = read.clause(kinds[0]);
    for (size_t i = 1; i < kinds.size(); ++i) c.others.push_back(read.clause(kinds[i]));
    for (const std::string& name : split(part.substr(0, colon), ",")) {
      c.argument = read.parameter(name);
      for (Clause& other : c.others) other.argument = c.argument;
      clauses_.push_back(c);
    }
  }
  // What a clause refers to is asked to be on the same device.
  for (size_t i = 0, n = clauses_.size(); i < n; ++i)
    for (const int other : {clauses_[i].like, clauses_[i].dim_of}) {
      const auto is_other = [&](const Clause& c) { return c.argument == other; };
      if (other < 0 || std::any_of(clauses_.begin(), clauses_.end(), is_other)) continue;
      Clause c;
      c.argument = other;
      clauses_.insert(clauses_.begin(), c);
      ++i, ++n;
    }
  const auto order = [](const Clause& c) { return c.dim_of >= 0 ? 2 : c.ranged ? 0 : 1; };
  std::stable_sort(clauses_.begin(), clauses_.end(),
                   [&](const Clause& a, const Clause& b) { return order(a) < order(b); });
}

}  // namespace fastdl::bindings
