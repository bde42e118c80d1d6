#!/usr/bin/env python3
"""Draws the pictures of docs/quantization.md: python3 docs/images/draw.py. No data is invented: the values are computed here."""
import math
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
INK, GREY, BLUE, ORANGE, GREEN, PALE = "#1f2328", "#8c959f", "#0969da", "#d4680c", "#1a7f37", "#eef1f4"


class Picture:
    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def line(self, x1, y1, x2, y2, color=GREY, width=1, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"{dash}/>')

    def dot(self, x, y, color=BLUE, radius=3.5):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')

    def text(self, x, y, text, color=INK, anchor="start", size=13):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" font-size="{size}">{text}</text>')

    def box(self, x, y, width, height, color, label="", ink=INK):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}" stroke="{GREY}"/>')
        if label:
            self.text(x + width / 2, y + height / 2 + 4.5, label, ink, "middle")

    def write(self, name):
        (HERE / name).write_text("\n".join(self.parts + ["</svg>", ""]), encoding="utf-8")


def weights(count=32):
    random.seed(4)
    return [random.gauss(0.0, 0.02) for _ in range(count)]


def rounding():
    """A block of q4_0: 16 levels, each float goes to the nearest."""
    values = weights()
    extreme = max(values, key=abs)
    scale = extreme / -8.0
    picture = Picture(720, 480, "32 floats and the 16 levels of a q4_0 block")
    left, right, top, bottom = 62, 600, 0, 480
    reach = 9 * abs(scale)
    y = lambda v: (top + bottom) / 2 - v / reach * (bottom - top) / 2
    for code in range(-8, 8):
        picture.line(left, y(scale * code), right, y(scale * code), PALE if code else GREY, 1.5)
        picture.text(right + 10, y(scale * code) + 4, f"code {code + 8}", GREY, size=11)
    for i, value in enumerate(values):
        x = left + (i + 0.5) * (right - left) / len(values)
        code = max(-8, min(7, math.floor(value / scale + 0.5)))
        picture.line(x, y(value), x, y(scale * code), ORANGE, 4)
        picture.dot(x, y(scale * code), GREEN, 2.5)
        picture.dot(x, y(value), BLUE, 2.5)
    for v in (-0.04, -0.02, 0.0, 0.02, 0.04):
        picture.text(left - 8, y(v) + 4, f"{v:+.2f}", INK, "end", 11)
    picture.text(left, 18, "● float", BLUE)
    picture.text(left + 70, 18, "● what it decodes to", GREEN)
    picture.text(left + 215, 18, "| error", ORANGE)
    picture.write("rounding.svg")


def layouts():
    """Bytes of a small block and of a super-block."""
    picture = Picture(720, 250, "The bytes of a q4_0 block and of a q4_k super-block")
    picture.text(20, 28, "q4_0: 32 weights in 18 bytes, 4.5 bits each")
    picture.box(20, 38, 76, 40, "#ffe8cc", "scale")
    picture.box(96, 38, 608, 40, "#d3e9ff", "16 bytes: two 4-bit codes in each")
    picture.text(58, 94, "fp16", GREY, "middle", 11)
    picture.text(400, 94, "low nibble: weights 0 to 15, high nibble: weights 16 to 31", GREY, "middle", 11)
    picture.text(20, 138, "q4_k: 256 weights in 144 bytes, 4.5 bits each")
    picture.box(20, 148, 50, 40, "#ffe8cc", "scale")
    picture.box(70, 148, 50, 40, "#ffe8cc", "offset")
    picture.box(120, 148, 150, 40, "#fff3bf", "sub-scales, sub-offsets")
    picture.box(270, 148, 434, 40, "#d3e9ff", "128 bytes: codes of eight sub-blocks")
    picture.text(70, 204, "2 x fp16", GREY, "middle", 11)
    picture.text(195, 204, "8 x (6 + 6) bits", GREY, "middle", 11)
    picture.text(487, 204, "32 weights each", GREY, "middle", 11)
    picture.text(20, 236, "weight = scale x sub-scale x code - offset x sub-offset", INK, size=12)
    picture.write("layouts.svg")


def search():
    """Error of a block against its scale: the reference's choice is not the best one."""
    values = weights()
    extreme = max(values, key=abs)
    reference = abs(extreme) / 8.0

    def error(scale):
        sign = -1.0 if extreme > 0 else 1.0
        total = 0.0
        for value in values:
            code = max(-8, min(7, math.floor(value / (sign * scale) + 0.5)))
            total += (value - sign * scale * code) ** 2
        return total

    scales = [reference * (0.70 + 0.6 * i / 300) for i in range(301)]
    errors = [error(s) for s in scales]
    best = scales[errors.index(min(errors))]
    picture = Picture(720, 300, "Squared error of a block for every scale")
    left, right, top, bottom = 60, 690, 30, 250
    x = lambda s: left + (s / reference - 0.70) / 0.6 * (right - left)
    y = lambda e: bottom - e / max(errors) * (bottom - top)
    picture.line(left, bottom, right, bottom, GREY)
    picture.line(left, top, left, bottom, GREY)
    points = " ".join(f"{x(s):.1f},{y(e):.1f}" for s, e in zip(scales, errors))
    picture.parts.append(f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    for scale, color, label in ((reference, ORANGE, "largest value / 8"), (best, GREEN, "least error")):
        picture.line(x(scale), y(error(scale)), x(scale), bottom, color, 1.5, "4 3")
        picture.dot(x(scale), y(error(scale)), color, 5)
        anchor, shift = ("start", 6) if scale == reference else ("end", -6)
        picture.text(x(scale) + shift, bottom - 10, label, color, anchor, 12)
    picture.text((left + right) / 2, 282, "scale of the block", INK, "middle")
    picture.text(20, 20, "squared error", INK)
    picture.write("search.svg")


if __name__ == "__main__":
    rounding()
    layouts()
    search()
