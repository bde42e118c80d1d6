// The order of events in a file of tensors: describe all of them, then stream their data. Nothing of the data is kept in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/sink.hpp"

NIBBLE_BASELINE_BEGIN
namespace file {

/// What the writers of all formats share. Move-only. Calls out of turn are errc::invalid_argument, data of the wrong length is
/// errc::size_mismatch, and both change nothing; after an error of the sink everything fails.
/// @tparam Header collects descriptions: `serialize(sink)`, `tensor_count()`, `tensor_bytes(i)` and `padding_after(i)`, the zeros that
///                follow the data of a tensor
/// @tparam Sink   see the concept sink; `status commit()` is called at the end if it has that
template <class Header, sink Sink>
class tensor_stream {
public:
    /// Takes over the sink; nothing is written before begin().
    NIBBLE_INLINE explicit tensor_stream(Sink to) noexcept : sink_(std::move(to)) {}

    /// Writes all that precedes the data.
    status begin() noexcept {
        if (phase_ != phase::describe) return late();
        phase_ = phase::data;
        return keep(header_.serialize(sink_));
    }
    /// Appends bytes to the data of the current tensor: the first one, or the one after the last end_tensor().
    status write(std::span<const std::byte> bytes) noexcept {
        if (const status s = check_data(); !s) return s;
        if (bytes.size() > header_.tensor_bytes(tensor_) - written_) {
            return {errc::size_mismatch, "more data than the tensor's type and shape ask for", written_};
        }
        written_ += bytes.size();
        return keep(sink_.write(bytes));
    }
    /// Ends the current tensor, whose data must be complete, and pads it.
    status end_tensor() noexcept {
        if (const status s = check_data(); !s) return s;
        if (written_ != header_.tensor_bytes(tensor_)) {
            return {errc::size_mismatch, "less data than the tensor's type and shape ask for", written_};
        }
        static constexpr std::byte zeros[4096]{};
        std::uint64_t missing = header_.padding_after(tensor_);
        while (missing != 0) {
            const std::uint64_t piece = missing < sizeof(zeros) ? missing : sizeof(zeros);
            if (const status s = keep(sink_.write({zeros, static_cast<std::size_t>(piece)})); !s) return s;
            missing -= piece;
        }
        ++tensor_;
        written_ = 0;
        return {};
    }
    /// The current tensor is the one with this index; tensor_count() after the last.
    NIBBLE_INLINE std::size_t current_tensor() const noexcept { return tensor_; }
    /// Tensors that were described.
    NIBBLE_INLINE std::size_t tensor_count() const noexcept { return header_.tensor_count(); }

    /// Checks that all data came and makes the file final.
    status finish() noexcept {
        if (phase_ == phase::broken) return broken();
        if (phase_ != phase::data) return {errc::invalid_argument, "finish() needs a begin() before, and may be called once"};
        if (tensor_ != header_.tensor_count())
            return {errc::size_mismatch, "data of tensors is missing: call end_tensor() after each", tensor_};
        phase_ = phase::done;
        if constexpr (requires { sink_.commit(); }) return keep(sink_.commit());
        else return {};
    }

    /// The sink.
    NIBBLE_INLINE const Sink& destination() const noexcept { return sink_; }

protected:
    /// The header while it may still change; null from begin() on.
    NIBBLE_INLINE Header* description() noexcept { return phase_ == phase::describe ? &header_ : nullptr; }
    /// What a description after begin() gets.
    static status late() noexcept { return {errc::invalid_argument, "the header was written already: describe everything before begin()"}; }

private:
    enum class phase : std::uint8_t { describe, data, done, broken };

    static status broken() noexcept { return {errc::cannot_write, "an earlier write failed"}; }
    status check_data() const noexcept {
        if (phase_ == phase::broken) return broken();
        if (phase_ != phase::data) return {errc::invalid_argument, "tensor data comes between begin() and finish()"};
        if (tensor_ >= header_.tensor_count()) return {errc::invalid_argument, "there is no further tensor"};
        return {};
    }
    status keep(status s) noexcept {
        if (!s) phase_ = phase::broken;
        return s;
    }

    Sink sink_;
    Header header_;
    std::size_t tensor_ = 0;
    std::uint64_t written_ = 0;
    phase phase_ = phase::describe;
};

}  // namespace file
NIBBLE_BASELINE_END
