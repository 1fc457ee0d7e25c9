"""Training samples: a scene, its questions and the teacher's labels, batched for the model."""

import numpy as np
import torch

import pictures
import questions
import tiling

IGNORED = -100
SYSTEM = "<|im_start|>system\nAnswer the questions.<|im_end|>"
END = "<|im_end|>"


def image_text(num_tiles, tokens_per_tile):
    """The official image span: numbered tiles, then the thumbnail."""
    pads = "<|vision_pad|>" * tokens_per_tile
    tiles = "".join(f"<tile_{i}>{pads}" for i in range(1, num_tiles))
    return f"<Image>{tiles}<tile_global_thumbnail>{pads}</Image>"


def encode_turns(tokenizer, image, turns):
    """Ids of a conversation, and labels that keep only the answers."""
    ids, labels = [], []

    def add(text, learn):
        new = tokenizer.encode(text)
        ids.extend(new)
        labels.extend(new if learn else [IGNORED] * len(new))

    add(SYSTEM, False)
    for i, (question, answer) in enumerate(turns):
        before = f"{image}\n" if image and i == 0 else ""
        add(f"<|im_start|>user\n{before}{question}{END}<|im_start|>assistant\n", False)
        add(f"{answer}{END}", True)
    return ids, labels


def patch_labels(marks, boxes, sizes):
    """
    What each half patch shows: glyph id and place in reading order, int64 [tiles, patches, 2, 2].

    A half patch shows the mark whose box contains its middle; 0 is the ground.
    """
    side = sizes.tile // sizes.patch
    labels = np.zeros((len(boxes), side, side, 2, 2), np.int64)
    ys = (np.arange(side) + 0.5) / side
    xs = (np.arange(side * 2) + 0.5) / (side * 2)
    for t, (x0, y0, x1, y1) in enumerate(boxes):
        flat = labels[t].reshape(side, side * 2, 2)
        px, py = x0 + xs * (x1 - x0), y0 + ys * (y1 - y0)
        for order, (glyph, (left, top, right, bottom)) in enumerate(marks):
            where = np.ix_((py >= top) & (py < bottom), (px >= left) & (px < right))
            flat[where] = (pictures.GLYPH_IDS[glyph], min(order + 1, pictures.MAX_ORDER - 1))
    return labels.reshape(len(boxes), side * side, 2, 2)


# Words and prices are longer than random strings, and the last to be learnt.
KINDS = {"string": 0.11, "word": 0.17, "price": 0.12, "sum": 0.08, "shapes": 0.52}


def make_sample(rng, tokenizer, sizes, wide):
    """One conversation about one picture: ids, labels, pixels, patch labels."""
    scene = pictures.draw_scene(rng, list(KINDS)[rng.choice(len(KINDS), p=list(KINDS.values()))], wide)
    tiles, boxes = tiling.tile_picture(scene.picture, sizes.tile)
    most = {"shapes": 2, "sum": 2, "price": 2}.get(scene.kind, 1)
    turns = [questions.ask(rng, scene)[1:] for _ in range(int(rng.integers(1, most + 1)))]
    ids, labels = encode_turns(tokenizer, image_text(len(tiles), sizes.tokens_per_tile), turns)
    return ids, labels, tiling.normalise(tiles), patch_labels(scene.marks, boxes, sizes)


def make_talk(rng, tokenizer):
    """A conversation without a picture."""
    if rng.random() < 0.5:
        question, answer = questions.TALK[rng.integers(len(questions.TALK))]
    else:
        a, b = rng.integers(0, 10, 2)
        question, answer = f"What is {a} plus {b}?", str(a + b)
    return (*encode_turns(tokenizer, "", [(question, answer)]), None, None)


def collate(samples, padding, image_token):
    """
    Tensors of samples padded on the right: ids, labels, pixels, patch labels, and the number of first ids that all
    rows share before any image token.
    """
    length = max(len(s[0]) for s in samples)
    ids = np.full((len(samples), length), padding, np.int64)
    labels = np.full((len(samples), length), IGNORED, np.int64)
    for row, (sample_ids, sample_labels, _, _) in enumerate(samples):
        ids[row, : len(sample_ids)] = sample_ids
        labels[row, : len(sample_labels)] = sample_labels
    same = (ids == ids[0]).all(0) & (ids[0] != image_token)
    shared = int(np.argmin(same)) if not same.all() else 0
    has_pixels = [s for s in samples if s[2] is not None]
    pixels = torch.from_numpy(np.concatenate([s[2] for s in has_pixels])) if has_pixels else None
    patches = torch.from_numpy(np.concatenate([s[3] for s in has_pixels])) if has_pixels else None
    return torch.from_numpy(ids), torch.from_numpy(labels), pixels, patches, shared


def make_batches(rng, tokenizer, sizes, count, wide_share, chunk=16):
    """About `count` samples, those of like length together in batches of up to `chunk`."""
    samples = []
    for _ in range(count):
        choice = rng.random()
        if choice < 0.02:
            samples.append(make_talk(rng, tokenizer))
        else:
            samples.append(make_sample(rng, tokenizer, sizes, choice > 1 - wide_share))
    samples.sort(key=lambda s: (0 if s[2] is None else len(s[2]), len(s[0])))
    padding, image_token = tokenizer.added["<|endoftext|>"], tokenizer.added["<|vision_pad|>"]
    return [collate(samples[i:i + chunk], padding, image_token) for i in range(0, count, chunk)]
