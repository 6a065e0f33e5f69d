// Where a tensor lives.
#pragma once

#include <cstdint>
#include <string>

namespace fastdl {

enum class DeviceType : int8_t { cpu, cuda };
inline constexpr int kDeviceTypes = 2;

struct Device {
  DeviceType type = DeviceType::cpu;
  int8_t index = 0;

  bool is_cpu() const { return type == DeviceType::cpu; }
  friend bool operator==(Device a, Device b) { return a.type == b.type && a.index == b.index; }
  friend bool operator!=(Device a, Device b) { return !(a == b); }
};

inline std::string name_of(Device d) {
  return d.is_cpu() ? "cpu" : "cuda:" + std::to_string(d.index);
}
Device parse_device(const std::string& text);  // "cpu", "cuda", "cuda:1"; throws ArgumentError

}  // namespace fastdl
