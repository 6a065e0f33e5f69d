#include "core/error.h"

#include "core/tensor.h"

namespace fastdl {

Error& Error::show(std::string name, std::string value) {
  details.emplace_back(std::move(name), std::move(value));
  return *this;
}

Error& Error::show(std::string name, const Tensor& value) {
  return show(std::move(name), describe(value));
}

Error& Error::remedy(std::string text) {
  advice = std::move(text);
  return *this;
}

Device parse_device(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceType::cuda, 0};
  if (name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() <= 7 &&
      name.find_first_not_of("0123456789", 5) == std::string::npos)
    return {DeviceType::cuda, static_cast<int8_t>(std::stoi(name.substr(5)))};
  throw Error(ErrorKind::argument, "device", text("unknown device '", name, "'"))
      .remedy("use 'cpu', 'cuda' or 'cuda:N'");
}

}  // namespace fastdl
