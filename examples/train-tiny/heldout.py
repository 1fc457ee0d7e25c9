"""
Draw held-out pictures, and answer them with PyTorch from checkpoints in the published format.

    python3 heldout.py --model ../models/nvlm-tiny --out heldout
    python3 heldout.py --plan comparison --model /tmp/four/d /tmp/four/x --out /tmp/comparison

Writes pictures as PNG and `questions.json`: the truth and PyTorch's greedy answer of each model, in float32 from the
stored bf16 weights. `evaluate.mjs` asks nvlm-ts the same.
"""

import argparse
import json
import pathlib

import numpy as np

import checkpoint
import pictures
import questions
import samples
import tiling
import train
from pictures import ONE, SEVERAL, SIX

# (group of the model card, kind of scene, tiles, pictures)
CARD = [
    ("shapes", "shapes", ONE, 140), ("shapes, several tiles", "shapes", SEVERAL, 40),
    ("words and prices", "word", ONE, 60), ("words and prices", "price", ONE, 50), ("words and prices, several tiles", "word", SEVERAL, 30),
    ("strings of 2-4", "string", ONE, 110), ("strings, several tiles", "string", SEVERAL, 30), ("sums", "sum", ONE, 40),
]
COMPARISON = [
    ("words and prices", "word", ONE, 60), ("words and prices", "price", ONE, 40), ("strings", "string", ONE, 80),
    ("shapes", "shapes", ONE, 160), ("sums", "sum", ONE, 40),
    ("words and prices, several tiles", "word", SEVERAL, 100), ("words and prices, several tiles", "price", SEVERAL, 40),
    ("strings, several tiles", "string", SEVERAL, 100), ("shapes, several tiles", "shapes", SEVERAL, 160),
    ("words and prices, 7 tiles", "word", SIX, 60), ("words and prices, 7 tiles", "price", SIX, 30),
    ("strings, 7 tiles", "string", SIX, 60), ("shapes, 7 tiles", "shapes", SIX, 90),
]
TOGETHER = 16  # pictures that are answered at once
PLANS = {"card": (0, CARD), "comparison": (2_000_000, COMPARISON)}  # first seed behind train.HELD_OUT_SEED, and what to draw


def load(folder):
    variant = checkpoint.stored_variant(folder)
    model, tokenizer, _ = train.build(variant)
    checkpoint.load(model, folder)
    return variant, model.eval(), tokenizer


def draw(plan, folder, tile):
    """Write the pictures; yields (row of questions.json, normalised tiles)."""
    number, (first, parts) = 0, PLANS[plan]
    for group, kind, tiles_wanted, count in parts:
        for _ in range(count):
            rng = np.random.default_rng(train.HELD_OUT_SEED + first + number)
            scene = pictures.draw_scene(rng, kind, tiles_wanted)
            topic, question, truth = questions.ask(rng, scene)
            name = f"{number:03}.png"
            scene.picture.save(folder / name, optimize=True)
            tiles, _ = tiling.tile_picture(scene.picture, tile)
            counts = plan == "comparison" and topic == "count"
            shown = group.replace("shapes", "counts") if counts else group
            row = {"image": name, "group": shown, "topic": topic, "tiles": len(tiles), "question": question, "truth": truth}
            yield row, tiling.normalise(tiles)
            number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--plan", choices=PLANS, default="card")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    models = {folder.name: load(folder) for folder in options.model}
    drawn = list(draw(options.plan, options.out, next(iter(models.values()))[1].sizes.tile))
    rows = [{**row, "answers": {}} for row, _ in drawn]
    for start in range(0, len(drawn), TOGETHER):
        asked = [(pixels, row["question"]) for row, pixels in drawn[start:start + TOGETHER]]
        for name, (variant, model, tokenizer) in models.items():
            for row, answer in zip(rows[start:], samples.answer(model, variant, tokenizer, asked)):
                row["answers"][name] = answer
    (options.out / "questions.json").write_text(json.dumps(rows, indent=0) + "\n")
    for group in dict.fromkeys(row["group"] for row in rows):
        asked = [row for row in rows if row["group"] == group]
        right = {name: sum(row["answers"][name] == row["truth"] for row in asked) for name in models}
        print(f"{group}: " + ", ".join(f"{name} {count} of {len(asked)}" for name, count in right.items()))


if __name__ == "__main__":
    main()
