// A vector whose first N elements need no memory of their own. Just what the tape needs.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace fastdl {

template <class T, size_t N>
class SmallVector {
 public:
  SmallVector() = default;
  SmallVector(SmallVector&& o) noexcept { take(o); }
  SmallVector& operator=(SmallVector&& o) noexcept {
    if (this != &o) {
      drop();
      take(o);
    }
    return *this;
  }
  ~SmallVector() { drop(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  void reserve(size_t wanted) {
    if (wanted <= capacity_) return;
    T* const more = static_cast<T*>(::operator new(wanted * sizeof(T)));
    move_to(more);
    if (!inside()) ::operator delete(data_);
    data_ = more;
    capacity_ = wanted;
  }
  void push_back(T value) {
    if (size_ == capacity_) reserve(2 * capacity_);
    new (data_ + size_) T(std::move(value));
    ++size_;
  }
  void resize(size_t wanted) {
    reserve(wanted);
    while (size_ > wanted) data_[--size_].~T();
    for (; size_ < wanted; ++size_) new (data_ + size_) T();
  }
  void clear() { resize(0); }

 private:
  T* own() { return reinterpret_cast<T*>(own_); }
  bool inside() { return data_ == own(); }
  void move_to(T* to) {
    for (size_t i = 0; i < size_; ++i) {
      new (to + i) T(std::move(data_[i]));
      data_[i].~T();
    }
  }
  void drop() {
    clear();
    if (!inside()) ::operator delete(data_);
  }
  void take(SmallVector& o) {  // this one owns nothing
    const bool moves = o.inside();
    data_ = moves ? own() : o.data_;
    capacity_ = o.capacity_;
    if (moves) o.move_to(data_);
    size_ = std::exchange(o.size_, 0);
    o.data_ = o.own();
    o.capacity_ = N;
  }

  alignas(T) unsigned char own_[N * sizeof(T)];
  T* data_ = own();
  size_t size_ = 0, capacity_ = N;
};

}  // namespace fastdl
