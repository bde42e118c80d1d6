// llama.cpp from the shared libraries of the npm package @node-llama-cpp/linux-x64, loaded at run time: nothing of it is needed to build.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace llama {

/// The program's exit code where llama.cpp cannot be had or is not the version that these tests know.
constexpr int not_usable = 9;

class library {
public:
    /// Ends the program if the libraries are not in the folder.
    /// @param cpu   which of ggml's CPU libraries, e.g. "x64", "haswell"; empty: the best one for this machine
    /// @param quiet keep all but errors off standard error
    library(const std::filesystem::path& folder, const std::string& cpu, bool quiet) {
        handles_[0] = open(folder, "libggml-base.");
        handles_[1] = open(folder, "libggml.");
        handles_[2] = open(folder, "libllama.");
        if (quiet) {
            get<void (*)(log_function, void*)>("ggml_log_set")(print_errors, nullptr);
            get<void (*)(log_function, void*)>("llama_log_set")(print_errors, nullptr);
        }
        if (!cpu.empty()) get<void* (*)(const char*)>("ggml_backend_load")((folder / ("libggml-cpu-" + cpu + ".so")).c_str());
        else get<void (*)(const char*)>("ggml_backend_load_all_from_path")(folder.c_str());
        get<void (*)()>("llama_backend_init")();
    }

    /// Loads one more library, which get() then looks into too.
    void load(const std::filesystem::path& path) {
        handles_[3] = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (handles_[3] != nullptr) return;
        std::fprintf(stderr, "%s\n", dlerror());
        std::exit(not_usable);
    }

    /// A function by name. Ends the program if there is none.
    template <class Function>
    Function get(const char* name) const {
        for (void* handle : handles_) {
            if (handle == nullptr) continue;
            if (void* address = dlsym(handle, name)) return reinterpret_cast<Function>(address);
        }
        std::fprintf(stderr, "this llama.cpp has no %s\n", name);
        std::exit(not_usable);
    }

private:
    using log_function = void (*)(int, const char*, void*);
    static void print_errors(int level, const char* text, void*) {
        if (level == 4) std::fputs(text, stderr);  // GGML_LOG_LEVEL_ERROR
    }

    static void* open(const std::filesystem::path& folder, const std::string& stem) {
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
            const std::string name = entry.path().filename().string();
            if (!name.starts_with(stem) || name.find(".so") == std::string::npos) continue;
            if (void* handle = dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL)) return handle;
            std::fprintf(stderr, "%s\n", dlerror());
            std::exit(not_usable);
        }
        std::fprintf(stderr, "no %s* in %s\n", stem.c_str(), folder.c_str());
        std::exit(not_usable);
    }

    void* handles_[4] = {};
};

}  // namespace llama
