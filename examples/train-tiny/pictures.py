"""Synthetic pictures with the truth about them: signs with text, prices and sums, and coloured shapes."""

import dataclasses
import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import words

FONTS = [
    "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSerif-Bold.ttf", "dejavu/DejaVuSansMono-Bold.ttf",
    "liberation2/LiberationSans-Bold.ttf", "liberation2/LiberationSerif-Bold.ttf", "liberation2/LiberationSans-Regular.ttf",
]
# Random strings leave out I, O, 0 and 1: alike in several of the fonts.
STRING_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
COLOURS = {
    "red": (214, 34, 40), "green": (40, 160, 64), "blue": (36, 84, 214), "yellow": (246, 214, 30), "orange": (246, 134, 22),
    "purple": (134, 46, 170),
}
SHAPES = ["circle", "square", "triangle", "star"]
GLYPHS = sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$.+-=x%")) + [
    f"{colour} {shape}" for colour in COLOURS for shape in SHAPES
]
GLYPH_IDS = {glyph: i + 1 for i, glyph in enumerate(GLYPHS)}  # 0: background
MAX_ORDER = 24  # places in reading order that the teacher labels tell apart


@dataclasses.dataclass
class Scene:
    """A picture and the truth: `marks` are (glyph, box) in reading order, boxes in pixels."""

    kind: str
    picture: Image.Image
    marks: list
    text: str = ""
    shapes: tuple = ()


@functools.lru_cache(maxsize=None)
def font(name, size):
    return ImageFont.truetype(f"/usr/share/fonts/truetype/{name}", size)


@functools.lru_cache(maxsize=None)
def advance(name, size, glyph):
    """Width of one glyph in pixels, without kerning: good enough for the teacher's boxes."""
    return font(name, size).getlength(glyph)


def background(rng, width, height, light):
    """A plain, shaded or noisy ground, light or dark."""
    base = rng.integers(205, 256, 3) if light else rng.integers(0, 70, 3)
    if rng.random() < 0.35:
        base = np.full(3, 250 if light else 15)
    style = rng.random()
    if style >= 0.35:
        return with_border(rng, Image.new("RGB", (width, height), tuple(int(v) for v in base)), light)
    ground = np.broadcast_to(base.astype(np.float32), (height, width, 3))
    if style < 0.2:
        slope = np.linspace(-1, 1, width if rng.random() < 0.5 else height, dtype=np.float32) * rng.uniform(5, 25)
        ground = ground + (slope[None, :, None] if len(slope) == width else slope[:, None, None])
    else:
        ground = ground + rng.normal(0, rng.uniform(2, 9), (height, width, 1)).astype(np.float32)
    return with_border(rng, Image.fromarray(np.maximum(np.minimum(ground, 255), 0).astype(np.uint8)), light)


def with_border(rng, picture, light):
    """Now and then a frame line near the edge."""
    if rng.random() < 0.25:
        inset = int(rng.integers(1, 5))
        colour = tuple(int(v) for v in (rng.integers(0, 160, 3) if light else rng.integers(110, 256, 3)))
        far = (picture.width - 1 - inset, picture.height - 1 - inset)
        ImageDraw.Draw(picture).rectangle((inset, inset, *far), outline=colour, width=int(rng.integers(1, 4)))
    return picture


def ink(rng, light):
    """A text colour that stands out."""
    if rng.random() < 0.4:
        return (10, 10, 10) if light else (250, 250, 250)
    return tuple(int(v) for v in (rng.integers(0, 110, 3) if light else rng.integers(170, 256, 3)))


def fitted_size(name, line, room_width, room_height, fill):
    """The font size at which the line is about `fill` of the room wide, but not higher than the room."""
    size = int(min(40 * fill * room_width / sum(advance(name, 40, glyph) for glyph in line), room_height * 0.95, 64))
    return max(size, 9)


def draw_text(rng, width, height, lines):
    """Write one or more lines on a sign; returns the picture and its marks."""
    light = rng.random() < 0.6
    picture = background(rng, width, height, light)
    draw, colour, name = ImageDraw.Draw(picture), ink(rng, light), FONTS[rng.integers(len(FONTS))]
    marks, row_height = [], height / len(lines)
    for row, line in enumerate(lines):
        size = fitted_size(name, line, width, row_height, rng.uniform(0.62, 0.92))
        face, advances = font(name, size), [advance(name, size, glyph) for glyph in line]
        line_width = sum(advances)
        ascent, descent = face.getmetrics()
        left = rng.uniform(0.04, 0.96) * max(width - line_width - 4, 0) + 2
        top = row * row_height + rng.uniform(0.1, 0.9) * max(row_height - ascent - descent, 0)
        draw.text((left, top), line, font=face, fill=colour)
        for glyph, step in zip(line, advances):
            if glyph != " ":
                marks.append((glyph, (left, top + ascent * 0.12, left + step, top + ascent)))
            left += step
    return picture, marks


def draw_shape(draw, shape, colour, x, y, radius, turn):
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        return
    corners = {"square": 4, "triangle": 3, "star": 10}[shape]
    start = -math.pi / 2 + (math.pi / 4 if shape == "square" else 0) + turn
    points = []
    for k in range(corners):
        reach = radius * (0.42 if shape == "star" and k % 2 else 1)
        angle = start + 2 * math.pi * k / corners
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    draw.polygon(points, fill=colour)


def draw_shapes(rng, width, height):
    """One to five shapes in the cells of a grid; returns the picture, marks and (colour, shape) in reading order."""
    columns, rows = [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (2, 3)][rng.integers(6)]
    if width > 1.6 * height:
        columns, rows = max(columns, rows), min(columns, rows)
    count = int(rng.integers(1, min(5, columns * rows) + 1))
    cells = sorted(rng.choice(columns * rows, count, replace=False).tolist())
    picture = background(rng, width, height, rng.random() < 0.7)
    draw, cell_width, cell_height = ImageDraw.Draw(picture), width / columns, height / rows
    names, marks, shapes = list(COLOURS), [], []
    for cell in cells:
        colour, shape = names[rng.integers(len(names))], SHAPES[rng.integers(len(SHAPES))]
        room = min(cell_width, cell_height) / 2
        radius = room * rng.uniform(0.55, 0.88)
        x = (cell % columns + 0.5) * cell_width + rng.uniform(-1, 1) * (cell_width / 2 - radius) * 0.9
        y = (cell // columns + 0.5) * cell_height + rng.uniform(-1, 1) * (cell_height / 2 - radius) * 0.6
        shade = tuple(int(np.clip(v + rng.integers(-14, 15), 0, 255)) for v in COLOURS[colour])
        draw_shape(draw, shape, shade, x, y, radius, rng.uniform(-0.15, 0.15))
        half = radius * 0.8
        marks.append((f"{colour} {shape}", (x - half, y - half, x + half, y + half)))
        shapes.append((colour, shape))
    return picture, marks, tuple(shapes)


ONE, SEVERAL, SIX = "one", "several", "six"  # tiles of a picture: one; two to four and a thumbnail; six and a thumbnail


def picture_size(rng, tiles):
    """A size in pixels that gives ONE, SEVERAL or SIX tiles of 96."""
    if tiles == ONE:
        side = rng.integers(96, 133)
        return int(side * rng.uniform(0.9, 1.1)), int(side)
    side = int(rng.integers(96, 150))
    if tiles == SIX:
        return int(side * rng.uniform(2.85, 3.15)), side * 2
    grid = rng.random()
    if grid < 0.6:
        return int(side * rng.uniform(1.85, 2.15)), side
    if grid < 0.75:
        return int(side * rng.uniform(2.8, 3.2)), side
    if grid < 0.9:
        return side, int(side * rng.uniform(1.85, 2.15))
    return side * 2, side * 2


def random_string(rng):
    return "".join(STRING_ALPHABET[i] for i in rng.integers(len(STRING_ALPHABET), size=rng.integers(2, 5)))


def written(rng, word):
    return word.capitalize() if rng.random() < 0.15 else word


def random_price(rng):
    return f"${rng.integers(0, 100) if rng.random() < 0.4 else rng.integers(0, 10)}.{rng.choice(['00', '50', '99', '95', str(rng.integers(10, 100))])}"


def random_lines(rng, kind, wide, tall):
    """What to write: the lines of a sign of this kind."""
    if kind == "string":
        return [random_string(rng) for _ in range(1 + (wide and rng.random() < 0.6))]
    if kind == "price":
        word = words.SHORT[rng.integers(len(words.SHORT))]
        return [word, random_price(rng)] if wide or rng.random() < 0.15 else [random_price(rng)]
    if kind == "sum":
        a, b = int(rng.integers(0, 10)), int(rng.integers(0, 10))
        return [f"{max(a, b)}-{min(a, b)}="] if rng.random() < 0.4 else [f"{a}+{b}="]
    if wide and not tall and rng.random() < 0.4:
        return [words.LONG[rng.integers(len(words.LONG))]]
    count = 2 if wide and rng.random() < 0.7 else 1
    lines = [written(rng, words.SHORT[rng.integers(len(words.SHORT))]) for _ in range(count)]
    return lines


def draw_scene(rng, kind, tiles=ONE):
    """Draw a random scene. Kinds: string, word, price, sum, shapes; tiles: ONE, SEVERAL or SIX."""
    width, height = picture_size(rng, tiles)
    wide = tiles != ONE
    if kind == "shapes":
        picture, marks, shapes = draw_shapes(rng, width, height)
        return Scene(kind, picture, marks, shapes=shapes)
    lines = random_lines(rng, kind, wide, tall=height > width * 1.4)
    if wide and len(lines) == 2 and width > height * 1.4 and rng.random() < 0.4:
        lines = [" ".join(lines)]
    picture, marks = draw_text(rng, width, height, lines)
    return Scene(kind, picture, marks, text=" ".join(lines))
