#!/usr/bin/env python3
"""Turns the JSON of benchmarks/run.sh into the tables and charts of docs/benchmarks.md.

usage: report.py [--write] RESULTS_DIR
Prints Markdown. With --write it goes between the markers of docs/benchmarks.md, and the charts into docs/images.
"""

import json
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LEVELS = ["reference", "avx2", "avxvnni", "avx512", "amx", "neon", "dotprod", "i8mm"]

# Operation: title, unit of its figures, and what is in a row.
TITLES = {
    "quantize": ("Quantize", "GB of floats a second"),
    "quantize_with_importance": ("Quantize with importance", "GB of floats a second"),
    "dequantize": ("Dequantize a matrix", "GB of floats a second"),
    "dequantize_rows": ("Dequantize row by row", "GB of floats a second"),
    "columns:1": ("Products, 1 column (gemv)", "Gmac/s"),
    "columns:4": ("Products, 4 columns", "Gmac/s"),
    "columns:16": ("Products, 16 columns", "Gmac/s"),
    "columns:512": ("Products, 512 columns (gemm)", "Gmac/s"),
    "dram columns:1": ("Products from DRAM, 1 column", "Gmac/s"),
    "dram columns:4": ("Products from DRAM, 4 columns", "Gmac/s"),
    "dram columns:16": ("Products from DRAM, 16 columns", "Gmac/s"),
    "dot length:128": ("Dot products, packed rows of 128", "Gmac/s"),
    "dot length:4096": ("Dot products, packed rows of 4096", "Gmac/s"),
    "activation rows:1": ("Activation quantization, one row of 4096", "GB of floats a second"),
    "activation rows:512": ("Activation quantization, 512 rows of 4096", "GB of floats a second"),
    "convert": ("Conversions", "GB of f32 a second"),
    "threads gemv": ("Two threads, 1 column", "Gmac/s"),
    "threads product": ("Two threads, 512 columns", "Gmac/s"),
    "threads quantize": ("Two threads, quantize", "GB of floats a second"),
    "limits": ("Limits", "reads: GB/s; multiply: Gmac/s"),
}


def load(directory):
    """{level: {operation: [(format, row)]}} and {level: context}; a row is what the benchmark counted, with its label."""
    figures, contexts = {}, {}
    for path in sorted(directory.glob("*.json")):
        try:
            data = json.loads(path.read_text())
        except ValueError:
            continue  # nothing matched the filter
        level = data["context"]["level"]
        contexts.setdefault(level, data["context"])
        dram = data["context"]["weights"] == "dram"
        for run in data["benchmarks"]:
            parts = run["name"].removesuffix("/manual_time").split("/")
            operation, name = parts[0], parts[1]
            if operation == "product":
                operation = ("dram " if dram else "") + parts[2]
            elif operation in ("activation", "dot", "threads"):
                operation += " " + parts[2]
            elif operation == "limits":
                name = " ".join(parts[1:])
            figures.setdefault(level, {}).setdefault(operation, []).append((name, run))
    return figures, contexts


def number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def ratio_text(value):
    return "-" if value is None else f"{value:.2f}x"


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def ratios(rows):
    return [(row["ratio"], name) for name, row in rows if row.get("ratio")]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def is_wrong(row):
    return row.get("label", "").startswith("OTHER")


def details(operation, rows):
    """One table: a format a row, geometric mean and minimum at the bottom."""
    if operation == "limits":
        return table(["", "limit"], [[name, number(row["ours"])] for name, row in rows])
    if operation.startswith("threads"):
        lines = [[name, number(row["one_thread"]), number(row["two_threads"]), ratio_text(row["speedup"])] for name, row in rows]
        speedups = [row["speedup"] for _, row in rows]
        lines.append(["**geometric mean**", "", "", f"**{ratio_text(geometric_mean(speedups))}**"])
        lines.append(["**minimum**", "", "", f"**{ratio_text(min(speedups))}**"])
        return table(["format", "one thread", "two threads", "speedup"], lines)
    product = "columns:" in operation
    header, keys = ["format", "nibble", "ggml"], ["ours", "ggml"]
    if product:
        header = ["format", "nibble, packed", "nibble, panels", "ggml, plain", "ggml, repacked"]
        keys = ["ours_plain", "ours_panel", "ggml_plain", "ggml_repacked"]
        if any("ggml_amx" in row for _, row in rows):
            header.append("ggml, AMX")
            keys.append("ggml_amx")
    header.append("ratio")
    if product:
        header.append("of the limit")
    lines = []
    for name, row in rows:
        mark = f" ({row['label'].lower()})" if is_wrong(row) else ""
        line = [name + mark] + [number(row.get(key)) for key in keys] + [ratio_text(row.get("ratio"))]
        if product:
            line.append(f"{100 * row['share_of_limit']:.0f} %")
        lines.append(line)
    known = ratios(rows)
    if known:
        pad = [""] * (len(header) - 1)
        for title, value in (("geometric mean", geometric_mean([r for r, _ in known])), ("minimum", min(known)[0])):
            line = [f"**{title}**"] + pad
            line[len(keys) + 1] = f"**{ratio_text(value)}**"
            lines.append(line)
    return table(header, lines)


def summary(figures):
    levels = [level for level in LEVELS if level in figures]
    lines = []
    for operation, (title, _) in TITLES.items():
        line = [title]
        for level in levels:
            known = ratios(figures[level].get(operation, []))
            if known:
                least, name = min(known)
                line.append(f"{geometric_mean([r for r, _ in known]):.2f}x ({least:.2f}x {name})")
            else:
                line.append("-")
        if any(cell != "-" for cell in line[1:]):
            lines.append(line)
    text = table(["geometric mean (slowest format)"] + levels, lines)
    for few in ("4", "16"):
        parts = []
        for level in levels:
            one = {name: row["ours"] for name, row in figures[level].get("columns:1", [])}
            times = [int(few) * one[name] / row["ours"] for name, row in figures[level].get(f"columns:{few}", []) if name in one]
            if times:
                parts.append(f"{level} {geometric_mean(times):.2f} (worst {max(times):.2f})")
        if parts:
            text += ["", f"Time of {few} columns over the time of one: " + ", ".join(parts) + "."]
    return text


def markdown(figures, contexts):
    levels = [level for level in LEVELS if level in figures]
    one = contexts[levels[0]]
    lines = [f"{one['cpu']}, {one['compiler']}, {one['date'][:10]}. One thread."]
    lines += ["Levels and peers: " + ", ".join(f"{level} against ggml {contexts[level]['peer']}" for level in levels) + "."]
    absent = [level for level in LEVELS[1:5] if level not in figures]
    if absent:
        lines.append("Not measured here: " + ", ".join(absent) + ".")
    lines += ["", "### Summary", ""] + summary(figures) + [""]
    for operation, (title, unit) in TITLES.items():
        present = [level for level in levels if operation in figures[level]]
        if not present:
            continue
        lines += [f"### {title}", "", f"In {unit}."]
        if (chart_path := CHARTS.get(operation)) and any(ratios(figures[level][operation]) for level in present):
            lines += ["", f"![{title}](images/{chart_path}.svg)"]
        for level in present:
            lines += ["", f"Level {level}:", ""] + details(operation, figures[level][operation])
        lines.append("")
    return "\n".join(lines)


# --- charts -----------------------------------------------------------------------------------------------------------------

CHARTS = {"quantize": "quantize", "dequantize_rows": "dequantize", "columns:1": "gemv", "columns:512": "gemm"}
OURS, PEER, INK, PALE = "#1f6f8b", "#c9a227", "#333333", "#e6e6e6"


def chart(operation, figures):
    """Bars for the highest level measured: ours and ggml's, a format a pair, on a logarithmic axis where the range asks for it."""
    levels = [level for level in LEVELS if operation in figures.get(level, {})]
    rows = [(name, row) for name, row in figures[levels[-1]][operation] if row.get("ratio")] if levels else []
    if not rows:
        return None
    title, unit = TITLES[operation]
    top = max(max(row["ours"], row["ggml"]) for _, row in rows)
    low = min(min(row["ours"], row["ggml"]) for _, row in rows)
    logarithmic = top / low > 50
    floor = 10 ** math.floor(math.log10(low)) if logarithmic else 0

    left, width, line, head = 90, 520, 26, 64

    def x(value):
        share = math.log(value / floor) / math.log(top / floor) if logarithmic else value / top
        return left + width * share

    if logarithmic:
        ticks = [10**e for e in range(round(math.log10(floor)), math.floor(math.log10(top)) + 1)]
    else:
        step = 10 ** math.floor(math.log10(top))
        step = next(s for s in (step / 5, step / 2, step, 2 * step) if top / s <= 6)
        ticks = [step * i for i in range(int(top / step) + 1)]
    height = head + line * len(rows) + 30
    bottom = head + line * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="15" font-weight="bold">{title}, level {levels[-1]}: {unit}</text>',
        f'<rect x="10" y="34" width="12" height="10" fill="{OURS}"/><text x="27" y="43">nibble</text>',
        f'<rect x="90" y="34" width="12" height="10" fill="{PEER}"/><text x="107" y="43">ggml</text>',
    ]
    for tick in ticks:
        out.append(f'<line x1="{x(tick):.1f}" y1="{head - 6}" x2="{x(tick):.1f}" y2="{bottom}" stroke="{PALE}"/>')
        out.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for i, (name, row) in enumerate(rows):
        y = head + line * i
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{max(x(row["ours"]) - left, 1):.1f}" height="10" fill="{OURS}"/>')
        out.append(f'<rect x="{left}" y="{y + 11}" width="{max(x(row["ggml"]) - left, 1):.1f}" height="8" fill="{PEER}"/>')
        end = max(x(row["ours"]), x(row["ggml"]))
        out.append(f'<text x="{end + 6:.1f}" y="{y + 13}">{row["ratio"]:.1f}x</text>')
    return "\n".join(out + ["</svg>", ""])


def main(arguments):
    write = "--write" in arguments
    directories = [a for a in arguments if not a.startswith("--")]
    if len(directories) != 1:
        sys.exit(__doc__)
    figures, contexts = load(pathlib.Path(directories[0]))
    if not figures:
        sys.exit("nothing was measured (did the filter match a name?)")
    text = markdown(figures, contexts)
    if not write:
        print(text)
        return
    page = ROOT / "docs" / "benchmarks.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    for operation, name in CHARTS.items():
        if drawn := chart(operation, figures):
            (images / f"{name}.svg").write_text(drawn)


if __name__ == "__main__":
    main(sys.argv[1:])
