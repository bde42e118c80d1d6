// Writes a GGUF file: describe all tensors, then stream their data. Nothing of the data is kept in memory.
//
//     auto out = nibble::gguf::writer::create("model.gguf", {.inputs = inputs});
//     out->set("general.architecture", "llama");
//     out->add_tensor("token_embd.weight", type, {cols, rows});
//     out->begin();
//     out->write(bytes);      // as often as it takes
//     out->end_tensor();      // then the next tensor
//     out->finish();          // now, and only now, model.gguf exists
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/gguf/atomic_file.hpp"
#include "nibble/gguf/header.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// A GGUF file on its way into a sink. Move-only. Calls out of turn are errc::invalid_argument, data of the wrong length is
/// errc::size_mismatch, and both change nothing; after an error of the sink everything fails.
/// @tparam Sink see the concept sink; `status commit()` is called at the end if it has that
template <sink Sink>
class basic_writer {
public:
    NIBBLE_INLINE explicit basic_writer(Sink to) noexcept : sink_(std::move(to)) {}

    /// @name Before begin(): see class header for meaning and errors
    /// @{
    template <class T>
    status set(std::string_view key, const T& value) noexcept {
        return phase_ == phase::describe ? header_.set(key, value) : late();
    }
    template <class Range>
    status set_array(std::string_view key, const Range& values) noexcept {
        return phase_ == phase::describe ? header_.set_array(key, values) : late();
    }
    status add_tensor(std::string_view name, std::uint32_t type, std::span<const std::uint64_t> shape) noexcept {
        return phase_ == phase::describe ? header_.add_tensor(name, type, shape) : late();
    }
    status add_tensor(std::string_view name, std::uint32_t type, std::initializer_list<std::uint64_t> shape) noexcept {
        return phase_ == phase::describe ? header_.add_tensor(name, type, shape) : late();
    }
    status add_tensor(const tensor_info& info) noexcept { return phase_ == phase::describe ? header_.add_tensor(info) : late(); }
    /// @}

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
        std::uint64_t missing = padded(written_, header_.alignment()) - written_;
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

    NIBBLE_INLINE const Sink& destination() const noexcept { return sink_; }

private:
    enum class phase : std::uint8_t { describe, data, done, broken };

    static status late() noexcept { return {errc::invalid_argument, "the header was written already: describe everything before begin()"}; }
    static status broken() noexcept { return {errc::cannot_write, "an earlier write failed"}; }
    status check_data() const noexcept {
        if (phase_ == phase::broken) return broken();
        if (phase_ != phase::data) return {errc::invalid_argument, "tensor data comes between begin() and finish()"};
        if (tensor_ == header_.tensor_count()) return {errc::invalid_argument, "there is no further tensor"};
        return {};
    }
    status keep(status s) noexcept {
        if (!s) phase_ = phase::broken;
        return s;
    }

    Sink sink_;
    header header_;
    std::size_t tensor_ = 0;
    std::uint64_t written_ = 0;
    phase phase_ = phase::describe;
};

/// Writes a GGUF file that appears whole or not at all.
class writer : public basic_writer<atomic_file> {
public:
    /// Checks the target and creates the temporary file next to it; an existing target is untouched until finish().
    /// @return see atomic_file::create
    static result<writer> create(const char* path, const write_options& options = {}) noexcept {
        auto file = atomic_file::create(path, options);
        if (!file) return file.status();
        return result<writer>(writer(std::move(*file)));
    }

private:
    using basic_writer<atomic_file>::basic_writer;
};

}  // namespace gguf
NIBBLE_BASELINE_END
