// ggml as a peer to measure against: the prebuilt libraries of the npm package @node-llama-cpp/linux-x64, loaded at run time. Nothing of
// ggml is needed to build; without the libraries the benchmarks print our own figures only.
#pragma once

#include <dlfcn.h>
#include <glob.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace peer {

/// Directory of the libraries: NIBBLE_GGML_DIR, or the one that tests/interop installs.
inline std::string directory() {
    if (const char* wanted = std::getenv("NIBBLE_GGML_DIR")) return wanted;
    return NIBBLE_SOURCE_DIR "/tests/interop/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";
}

/// ggml with the kernels of one CPU generation ("haswell", "alderlake", "sapphirerapids", ...).
class ggml {
public:
    explicit ggml(const std::string& cpu) {
        const std::string dir = directory();
        base_ = dlopen((dir + "/libggml-base.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        void* loader = dlopen(first(dir + "/libggml.v*.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (loader == nullptr) loader = dlopen((dir + "/libggml.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (base_ == nullptr || loader == nullptr) return;
        const auto load = reinterpret_cast<void* (*)(const char*)>(dlsym(loader, "ggml_backend_load"));
        registry_ = load != nullptr ? load((dir + "/libggml-cpu-" + cpu + ".so").c_str()) : nullptr;
        if (registry_ == nullptr) return;
        device_ = call<void*>("ggml_backend_reg_dev_get", registry_, std::size_t{0});
        backend_ = call<void*>("ggml_backend_dev_init", device_, static_cast<const char*>(nullptr));
        threads(1);
    }

    explicit operator bool() const { return backend_ != nullptr; }

    void threads(int count) {
        const auto set = reinterpret_cast<void (*)(void*, int)>(proc("ggml_backend_set_n_threads"));
        if (set != nullptr) set(backend_, count);
    }

    void quantize(std::uint32_t type, const float* x, void* out, std::int64_t rows, std::int64_t cols, const float* importance) {
        call<void>("ggml_quantize_init", static_cast<int>(type));
        call<std::size_t>("ggml_quantize_chunk", static_cast<int>(type), x, out, std::int64_t{0}, rows, cols, importance);
    }

    /// ggml's row decoder of a type: dequantize_row_q4_K and so on.
    void* symbol(const std::string& name) const { return dlsym(base_, name.c_str()); }

    /// A product y[count][rows] = x[count][cols] W^T that can be computed again and again.
    class product {
    public:
        product(ggml& owner, std::uint32_t type, const void* weights, std::size_t bytes, std::int64_t rows, std::int64_t cols, std::int64_t count,
                const float* x, bool repacked)
            : ggml_(owner) {
            void* weight_buffers = repacked ? owner.repack_buffers() : owner.buffers();
            if (weight_buffers == nullptr) return;
            const struct {
                std::size_t size;
                void* memory;
                bool no_alloc;
            } params{1 << 20, nullptr, true};
            weight_context_ = owner.call<void*>("ggml_init", params);
            context_ = owner.call<void*>("ggml_init", params);
            void* w = owner.call<void*>("ggml_new_tensor_2d", weight_context_, static_cast<int>(type), cols, rows);
            void* input = owner.call<void*>("ggml_new_tensor_2d", context_, 0, cols, count);
            output_ = owner.call<void*>("ggml_mul_mat", context_, w, input);
            graph_ = owner.call<void*>("ggml_new_graph", context_);
            owner.call<void>("ggml_build_forward_expand", graph_, output_);
            weight_memory_ = owner.call<void*>("ggml_backend_alloc_ctx_tensors_from_buft", weight_context_, weight_buffers);
            memory_ = owner.call<void*>("ggml_backend_alloc_ctx_tensors_from_buft", context_, owner.buffers());
            if (weight_memory_ == nullptr || memory_ == nullptr) return;
            // 1: weights; repacked buffers refuse tensors that they have no layout for, and ggml then aborts in the product.
            owner.call<void>("ggml_backend_buffer_set_usage", weight_memory_, 1);
            owner.call<void>("ggml_backend_tensor_set", w, weights, std::size_t{0}, bytes);
            owner.call<void>("ggml_backend_tensor_set", input, static_cast<const void*>(x), std::size_t{0}, sizeof(float) * static_cast<std::size_t>(cols * count));
            ready_ = owner.call<bool>("ggml_backend_dev_supports_op", owner.device_, output_);
        }
        ~product() {
            if (memory_ != nullptr) ggml_.call<void>("ggml_backend_buffer_free", memory_);
            if (weight_memory_ != nullptr) ggml_.call<void>("ggml_backend_buffer_free", weight_memory_);
            if (context_ != nullptr) ggml_.call<void>("ggml_free", context_);
            if (weight_context_ != nullptr) ggml_.call<void>("ggml_free", weight_context_);
        }
        product(const product&) = delete;
        product& operator=(const product&) = delete;

        explicit operator bool() const { return ready_; }
        void run() { ggml_.call<int>("ggml_backend_graph_compute", ggml_.backend_, graph_); }
        void read(float* y, std::size_t bytes) {
            ggml_.call<void>("ggml_backend_tensor_get", output_, static_cast<void*>(y), std::size_t{0}, bytes);
        }

    private:
        ggml& ggml_;
        void *weight_context_ = nullptr, *context_ = nullptr, *output_ = nullptr, *graph_ = nullptr, *weight_memory_ = nullptr, *memory_ = nullptr;
        bool ready_ = false;
    };

private:
    template <class R, class... A>
    R call(const char* name, A... arguments) const {
        return reinterpret_cast<R (*)(A...)>(dlsym(base_, name))(arguments...);
    }
    void* proc(const char* name) const { return call<void*>("ggml_backend_reg_get_proc_address", registry_, name); }
    void* buffers() const { return call<void*>("ggml_backend_dev_buffer_type", device_); }
    /// The buffer type whose tensors are interleaved when they are set; null if this build has none.
    void* repack_buffers() const {
        const auto extra = reinterpret_cast<void** (*)(void*)>(proc("ggml_backend_dev_get_extra_bufts"));
        void** types = extra != nullptr ? extra(device_) : nullptr;
        for (; types != nullptr && *types != nullptr; ++types) {
            if (std::string(call<const char*>("ggml_backend_buft_name", *types)).find("REPACK") != std::string::npos) return *types;
        }
        return nullptr;
    }
    static std::string first(const std::string& pattern) {
        glob_t found{};
        const bool some = glob(pattern.c_str(), 0, nullptr, &found) == 0 && found.gl_pathc != 0;
        const std::string path = some ? found.gl_pathv[0] : "";
        globfree(&found);
        return path;
    }

    void *base_ = nullptr, *registry_ = nullptr, *device_ = nullptr, *backend_ = nullptr;
};

}  // namespace peer
