"""
Draw the held-out pictures, and answer them with PyTorch from the published checkpoint.

    python3 heldout.py --model ../models/nvlm-tiny --out heldout

Writes pictures as PNG and `questions.json`: the truth and PyTorch's greedy answer for each, in float32 from the
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

# (group of the model card, kind of scene, needs more than one tile, pictures)
PLAN = [
    ("shapes", "shapes", False, 140), ("shapes, several tiles", "shapes", True, 40),
    ("words and prices", "word", False, 60), ("words and prices", "price", False, 50), ("words and prices, several tiles", "word", True, 30),
    ("strings of 2-4", "string", False, 110), ("strings, several tiles", "string", True, 30), ("sums", "sum", False, 40),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model, _, tokenizer, _ = train.build()
    checkpoint.load(model, options.model)
    model.eval()
    end, rows, number = tokenizer.added["<|im_end|>"], [], 0
    for group, kind, wide, count in PLAN:
        for _ in range(count):
            rng = np.random.default_rng(train.HELD_OUT_SEED + number)
            scene = pictures.draw_scene(rng, kind, wide)
            topic, question, truth = questions.ask(rng, scene)
            name = f"{number:03}.png"
            scene.picture.save(options.out / name, optimize=True)
            tiles, _ = tiling.tile_picture(scene.picture, model.sizes.tile)
            image = samples.image_text(len(tiles), model.sizes.tokens_per_tile)
            prompt = f"{samples.SYSTEM}<|im_start|>user\n{image}\n{question}{samples.END}<|im_start|>assistant\n"
            answer = model.answer(tokenizer.encode(prompt), samples.torch.from_numpy(tiling.normalise(tiles)), end)
            rows.append({
                "image": name, "group": group, "topic": topic, "tiles": len(tiles), "question": question, "truth": truth,
                "pytorch": tokenizer.decode(answer),
            })
            number += 1
    (options.out / "questions.json").write_text(json.dumps(rows, indent=0) + "\n")
    for group in dict.fromkeys(row["group"] for row in rows):
        right = [row["pytorch"] == row["truth"] for row in rows if row["group"] == group]
        print(f"{group}: {sum(right)} of {len(right)} = {100 * sum(right) / len(right):.1f} %")


if __name__ == "__main__":
    main()
