// Stream and Event as Python classes, and the calling thread's current stream.
#include <pybind11/stl.h>

#include <memory>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "bindings/runtime.h"
#include "core/backend.h"
#include "core/error.h"
#include "core/stream.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

Device device_of(const py::handle& like) {
  const Device d = from_python<Device>(like.ptr(), {"Stream", "device"});
  require_cuda("Stream", d);
  return d;
}

// A stream that is borrowed as long as some object refers to it, or one that is only looked at.
class PyStream {
 public:
  explicit PyStream(Stream seen) : stream_(std::make_shared<Stream>(seen)) {}
  static PyStream borrowed(Device device) {
    PyStream s(borrow_stream(device));
    s.stream_.reset(new Stream(*s.stream_), [](Stream* mine) {
      give_back_stream(*mine);
      delete mine;
    });
    return s;
  }
  Stream get() const { return *stream_; }

 private:
  std::shared_ptr<Stream> stream_;
};

Stream stream_or_current(const std::optional<PyStream>& stream) {
  return stream ? stream->get() : current_stream(Device{DeviceType::cuda, 0});
}

constexpr const char* kStreamDoc = R"(A queue of work of a GPU.

Streams are in no order with each other but what events say.

    side = fastdl.cuda.Stream()
    with fastdl.cuda.stream(side):
        y = x * 2
    side.synchronize())";

constexpr const char* kEventDoc = R"(A mark in a stream, to wait for and to measure time with.

    begin, end = fastdl.cuda.Event(timing=True), fastdl.cuda.Event(timing=True)
    begin.record()
    y = x @ x
    end.record()
    end.synchronize()
    milliseconds = begin.elapsed_time(end))";

void register_stream(py::module_& m) {
  py::class_<PyStream>(m, "Stream", kStreamDoc)
      .def(py::init([](const py::object& device) { return PyStream::borrowed(device_of(device)); }),
           py::arg("device") = "cuda")
      .def_property_readonly(
          "device",
          [](const PyStream& s) {
            return py::reinterpret_steal<py::object>(
                wrap(Device{DeviceType::cuda, static_cast<int8_t>(s.get().device)}));
          },
          "The GPU.")
      .def_property_readonly(
          "handle", [](const PyStream& s) { return reinterpret_cast<uintptr_t>(s.get().handle); },
          "The cudaStream_t as an int, for other libraries; 0 is the default stream.")
      .def(
          "synchronize",
          [](const PyStream& s) {
            {
              const py::gil_scoped_release unlocked;
              synchronize(s.get());
            }
            look_at_deferred();
          },
          "Waits until the stream has done its work.")
      .def(
          "query", [](const PyStream& s) { return is_done(s.get()); },
          "Whether the stream has done all of its work.")
      .def(
          "wait_event", [](const PyStream& s, const Event& e) { e.hold_back(s.get()); },
          py::arg("event"), "What the stream is given from now on waits for the event.")
      .def(
          "wait_stream",
          [](const PyStream& s, const PyStream& other) {
            Event now(false);
            now.record(other.get());
            now.hold_back(s.get());
          },
          py::arg("other"),
          "What the stream is given from now on waits for the other's work so far.")
      .def("__eq__",
           [](const PyStream& s, const py::object& other) {
             return py::isinstance<PyStream>(other) && s.get() == py::cast<PyStream>(other).get();
           })
      .def("__hash__",
           [](const PyStream& s) { return std::hash<void*>()(s.get().handle) + s.get().device; })
      .def("__repr__", [](const PyStream& s) {
        return text("Stream(cuda:", s.get().device,
                    ", handle=", reinterpret_cast<uintptr_t>(s.get().handle), ")");
      });
}

void register_event(py::module_& m) {
  py::class_<Event>(m, "Event", kEventDoc)
      .def(py::init([](bool timing) {
             device_runtime();
             return std::make_unique<Event>(timing);
           }),
           py::arg("timing") = false)
      .def(
          "record",
          [](Event& e, const std::optional<PyStream>& s) { e.record(stream_or_current(s)); },
          py::arg("stream") = py::none(),
          "Marks what the stream (default: the current one) was given so far.")
      .def(
          "query", [](const Event& e) { return e.is_done(); },
          "Whether the device has come to the mark.")
      .def(
          "synchronize",
          [](const Event& e) {
            {
              const py::gil_scoped_release unlocked;
              e.synchronize();
            }
            look_at_deferred();
          },
          "Waits until the device has come to the mark.")
      .def(
          "elapsed_time",
          [](const Event& e, const Event& later) { return e.milliseconds_until(later); },
          py::arg("later"), "Milliseconds on the device from this mark to a later one.");
}

}  // namespace

template <>
Stream from_python<Stream>(PyObject* o, const Place& at) {
  if (!py::isinstance<PyStream>(py::handle(o))) throw_type_error(at, "a Stream", o);
  return py::cast<PyStream&>(py::handle(o)).get();
}

void register_streams(py::module_& m) {
  register_stream(m);
  register_event(m);
  m.def(
      "current_stream",
      [](const py::object& device) { return PyStream(current_stream(device_of(device))); },
      py::arg("device") = "cuda", "The stream that this thread gives work to.");
  m.def(
      "_set_current_stream", [](const PyStream& s) { set_current_stream(s.get()); },
      py::arg("stream"));
}

}  // namespace fastdl::bindings
