// Programs that tests run, and folders that they may fill.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace support {

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_file(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

/// A folder that disappears with its object.
class scratch_folder {
public:
    scratch_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "nibble-test-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) std::perror(name.c_str());
        path_ = name;
    }
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    const std::filesystem::path& path() const { return path_; }
    /// Names of the files in it, sorted.
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }

private:
    std::filesystem::path path_;
};

struct finished {
    int code = -1;  ///< exit code; 1000 + signal for a program that a signal ended
    std::string out, err;
};

/// Starts a program without a shell. @param prepare runs in the child before the program
/// @param streams files for standard output and error
inline pid_t start(const std::vector<std::string>& command, const std::string& out, const std::string& err,
                   const std::function<void()>& prepare = {}) {
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child != 0) return child;
    const auto redirect = [](const std::string& path, int number) {
        const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        dup2(file, number);
        close(file);
    };
    close(0);
    open("/dev/null", O_RDONLY);
    redirect(out, 1);
    redirect(err, 2);
    if (prepare) prepare();
    execvp(arguments[0], arguments.data());
    _exit(127);
}

inline int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Runs a program to its end.
inline finished run(const std::vector<std::string>& command, const std::function<void()>& prepare = {}) {
    const scratch_folder streams;
    finished result;
    result.code = wait_for(start(command, streams / "out", streams / "err", prepare));
    result.out = read_file(streams / "out");
    result.err = read_file(streams / "err");
    return result;
}

}  // namespace support
