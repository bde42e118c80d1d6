// ggml as a peer to measure against: the prebuilt libraries of the npm package @node-llama-cpp/linux-x64, loaded at run time. Nothing of
// ggml is needed to build; without the libraries the benchmarks print our own figures only.
#pragma once

#include <dlfcn.h>
#include <glob.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace peer {

/// Directory of the libraries: NIBBLE_GGML_DIR, or the one that tests/interop installs.
inline std::string directory() {
    if (const char* wanted = std::getenv("NIBBLE_GGML_DIR")) return wanted;
    return NIBBLE_SOURCE_DIR "/tests/interop/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";
}

/// Where a product's weights live: as in files, interleaved for vectors, or in tiles for AMX.
enum class weights { plain, repacked, amx };

/// ggml with the kernels of one CPU generation ("haswell", "alderlake", "sapphirerapids", ...). A process should open only one.
class ggml {
public:
    using to_floats = void (*)(const void* packed, float* values, std::int64_t count);
    using from_floats = void (*)(const float* values, void* packed, std::int64_t count);
    /// Of rows; strides are for several of them.
    using dot_product = void (*)(int count, float* product, std::size_t, const void* w, std::size_t, const void* x, std::size_t, int rows);

    ggml() = default;
    explicit ggml(const std::string& cpu) {
        const std::string dir = directory(), library = dir + "/libggml-cpu-" + cpu + ".so";
        base_ = dlopen((dir + "/libggml-base.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        void* loader = dlopen(first(dir + "/libggml.v*.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (loader == nullptr) loader = dlopen((dir + "/libggml.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (base_ == nullptr || loader == nullptr) return;
        call<void>("ggml_log_set", +[](int, const char*, void*) {}, static_cast<void*>(nullptr));
        const auto load = reinterpret_cast<void* (*)(const char*)>(dlsym(loader, "ggml_backend_load"));
        registry_ = load != nullptr ? load(library.c_str()) : nullptr;
        if (registry_ == nullptr) return;
        cpu_ = dlopen(library.c_str(), RTLD_NOW);
        device_ = call<void*>("ggml_backend_reg_dev_get", registry_, std::size_t{0});
        backend_ = call<void*>("ggml_backend_dev_init", device_, static_cast<const char*>(nullptr));
        threads(1);
    }

    explicit operator bool() const { return backend_ != nullptr; }

    void threads(int count) {
        const auto set = reinterpret_cast<void (*)(void*, int)>(proc("ggml_backend_set_n_threads"));
        if (set != nullptr) set(backend_, count);
    }

    /// True if ggml has a type of this number with blocks of this size.
    bool knows(std::uint32_t type, std::size_t block_size, std::size_t block_bytes) const {
        if (backend_ == nullptr || name_of(type) == "NONE") return false;
        return traits(type)[1] == block_size && traits(type)[3] == block_bytes;
    }

    bool needs_importance(std::uint32_t type) const { return call<bool>("ggml_quantize_requires_imatrix", static_cast<int>(type)); }
    /// The quantizer of files, in libggml-base.so. Activation formats have none: see reference_encoder.
    void quantize(std::uint32_t type, const float* x, void* out, std::int64_t rows, std::int64_t cols, const float* importance) const {
        call<std::size_t>("ggml_quantize_chunk", static_cast<int>(type), x, out, std::int64_t{0}, rows, cols, importance);
    }
    /// The row functions of a type: of ggml's table, or exported under the type's name; null if there is none.
    to_floats decoder(std::uint32_t type) const {
        const auto listed = reinterpret_cast<to_floats>(traits(type)[5]);
        return listed != nullptr ? listed : reinterpret_cast<to_floats>(symbol("dequantize_row_" + name_of(type)));
    }
    from_floats reference_encoder(std::uint32_t type) const {
        const auto listed = reinterpret_cast<from_floats>(traits(type)[6]);
        return listed != nullptr ? listed : reinterpret_cast<from_floats>(symbol("quantize_row_" + name_of(type) + "_ref"));
    }
    /// The encoder of the CPU library: what products use for their activations.
    from_floats fast_encoder(std::uint32_t type) const { return reinterpret_cast<from_floats>(cpu_traits(type)[0]); }
    /// The dot product of a type with rows of another one; null if there is none.
    dot_product dot(std::uint32_t type, std::uint32_t other) const {
        const std::uintptr_t* known = cpu_traits(type);
        return static_cast<std::uint32_t>(known[2]) == other ? reinterpret_cast<dot_product>(known[1]) : nullptr;
    }
    bool multiplies(std::uint32_t type) const { return cpu_traits(type)[1] != 0; }

    /// An exported function of either library; null if there is none.
    void* symbol(const std::string& name) const {
        void* found = cpu_ != nullptr ? dlsym(cpu_, name.c_str()) : nullptr;
        return found != nullptr || base_ == nullptr ? found : dlsym(base_, name.c_str());
    }

    /// A product y[count][rows] = x[count][cols] W^T that can be computed again and again.
    class product {
    public:
        product(ggml& owner, std::uint32_t type, const void* packed, std::size_t bytes, std::int64_t rows, std::int64_t cols, std::int64_t count,
                const float* x, weights where)
            : ggml_(owner) {
            void* weight_buffers = owner.buffers(where);
            if (weight_buffers == nullptr || !owner.multiplies(type)) return;
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
            memory_ = owner.call<void*>("ggml_backend_alloc_ctx_tensors_from_buft", context_, owner.buffers(weights::plain));
            if (weight_memory_ == nullptr || memory_ == nullptr) return;
            owner.call<void>("ggml_backend_buffer_set_usage", weight_memory_, 1);  // 1: weights
            // Buffers that reorder must not be filled with types that they have no order for.
            ready_ = owner.call<bool>("ggml_backend_dev_supports_op", owner.device_, output_);
            if (!ready_) return;
            owner.call<void>("ggml_backend_tensor_set", w, packed, std::size_t{0}, bytes);
            owner.call<void>("ggml_backend_tensor_set", input, static_cast<const void*>(x), std::size_t{0},
                             sizeof(float) * static_cast<std::size_t>(cols * count));
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
    std::string name_of(std::uint32_t type) const { return call<const char*>("ggml_type_name", static_cast<int>(type)); }
    /// ggml_type_traits: name, block size, interleaved size, block bytes, quantized, decoder, reference encoder.
    const std::uintptr_t* traits(std::uint32_t type) const { return call<const std::uintptr_t*>("ggml_get_type_traits", static_cast<int>(type)); }
    /// ggml_type_traits_cpu: encoder, dot product, type of the other side.
    const std::uintptr_t* cpu_traits(std::uint32_t type) const {
        return reinterpret_cast<const std::uintptr_t* (*)(int)>(dlsym(cpu_, "ggml_get_type_traits_cpu"))(static_cast<int>(type));
    }
    void* proc(const char* name) const { return call<void*>("ggml_backend_reg_get_proc_address", registry_, name); }
    /// The buffer type whose tensors have this order; null if this build has none.
    void* buffers(weights where) const {
        if (where == weights::plain) return call<void*>("ggml_backend_dev_buffer_type", device_);
        const auto extra = reinterpret_cast<void** (*)(void*)>(proc("ggml_backend_dev_get_extra_bufts"));
        void** types = extra != nullptr ? extra(device_) : nullptr;
        for (; types != nullptr && *types != nullptr; ++types) {
            const std::string name = call<const char*>("ggml_backend_buft_name", *types);
            if (name.find(where == weights::amx ? "AMX" : "REPACK") != std::string::npos) return *types;
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

    void *base_ = nullptr, *cpu_ = nullptr, *registry_ = nullptr, *device_ = nullptr, *backend_ = nullptr;
};

}  // namespace peer
