// The README's table of formats, from the list of formats:
//     format_table                  prints it
//     format_table --check README   fails if the README has another one
//     format_table --write README   puts it there
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nibble/format/list.hpp>
#include <string>

namespace {

const std::string begin = "<!-- formats: written by the target update-readme -->\n", end = "<!-- end of formats -->\n";

template <class F>
std::string companion() {
    if constexpr (requires { typename F::companion; }) return '`' + std::string(F::companion::name) + '`';
    else return "";
}

template <class F>
std::string row() {
    char bits[32];
    std::snprintf(bits, sizeof bits, "%g", nibble::bits_per_weight<F>);
    return "| `" + std::string(F::name) + "` | " + bits + " | " + std::to_string(F::block_size) + " | " +
           std::to_string(sizeof(typename F::block)) + " | " + companion<F>() + " | " + std::to_string(F::gguf_type) + " |\n";
}

template <class... F>
std::string table(nibble::format_list<F...>) {
    return "| format | bits per weight | elements of a block | bytes of a block | companion | GGUF type |\n| --- | --- | --- | --- | --- | "
           "--- |\n" +
           (row<F>() + ...);
}

std::string read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
    const std::string wanted = table(nibble::all_formats{});
    if (argc < 3) return std::fputs(wanted.c_str(), stdout) < 0;
    const std::string page = read(argv[2]);
    const std::size_t from = page.find(begin), to = page.find(end);
    if (from == std::string::npos || to == std::string::npos || to < from) {
        std::printf("%s has no place for the table of formats: it needs the lines\n%s%s", argv[2], begin.c_str(), end.c_str());
        return 1;
    }
    const std::string fresh = page.substr(0, from + begin.size()) + wanted + page.substr(to);
    if (std::strcmp(argv[1], "--write") == 0)
        return std::ofstream(argv[2], std::ios::binary).write(fresh.data(), static_cast<std::streamsize>(fresh.size())) ? 0 : 1;
    if (fresh == page) return 0;
    std::printf("the table of formats in %s is stale: build the target update-readme\n", argv[2]);
    return 1;
}
