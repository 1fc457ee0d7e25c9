"""Training samples: a scene, its questions and the teacher's labels, batched for the model."""

import dataclasses

import numpy as np
import torch

import pictures
import questions
import tiling
from nvlm_xh import ALL, NOTHING

IGNORED = -100
SYSTEM = "<|im_start|>system\nAnswer the questions.<|im_end|>"
END = "<|im_end|>"


@dataclasses.dataclass
class Batch:
    """
    Rows padded on the right. `views` say what a token sees of its picture in cross-attention; `counts` are the tiles of
    each row; the first `shared` ids are the same in all rows, have no image token and see no picture. `places` (counted
    behind those) are asked for the next token, which is `wanted` there: the answers.
    """

    ids: torch.Tensor
    views: torch.Tensor
    counts: list
    shared: int
    places: torch.Tensor
    wanted: torch.Tensor


def image_text(num_tiles, tokens_per_tile, tile_tags=True):
    """NVLM-D's image span: numbered tiles, then the thumbnail."""
    pads = "<|vision_pad|>" * tokens_per_tile
    if not tile_tags:
        return f"<Image>{pads * num_tiles}</Image>"
    tiles = "".join(f"<tile_{i}>{pads}" for i in range(1, num_tiles))
    return f"<Image>{tiles}<tile_global_thumbnail>{pads}</Image>"


def image_pieces(variant, num_tiles, tokens_per_tile):
    """The image span of NVLM-X or NVLM-H: (text that is tokenised on its own, what its tokens see)."""
    thumbnail = "<tile_global_thumbnail>" if variant.tile_tags else ""
    if variant.fusion == "hybrid":
        inside = [(thumbnail + "<|vision_pad|>" * tokens_per_tile, ALL)]
    else:
        tags = [*(f"<tile_{i}>" for i in range(1, num_tiles)), thumbnail] if variant.tile_tags else []
        inside = [(tag, tile) for tile, tag in enumerate(tags)]
    return [("<Image>", NOTHING), *inside, ("</Image>", ALL)]


def prompt_pieces(variant, num_tiles, tokens_per_tile, question):
    """One user turn up to the answer; num_tiles is 0 where the turn has no picture."""
    start, end = "<|im_start|>user\n", f"{question}{END}<|im_start|>assistant\n"
    if num_tiles == 0:
        return [(start + end, NOTHING)]
    if variant.fusion == "self-attention":
        image = image_text(num_tiles, tokens_per_tile, variant.tile_tags)
        return [(f"{start}{image}\n{end}", NOTHING)]
    return [(start, NOTHING), *image_pieces(variant, num_tiles, tokens_per_tile), (f"\n{end}", ALL)]


def encode_turns(tokenizer, variant, num_tiles, tokens_per_tile, turns):
    """Ids of a conversation, labels that keep only the answers, and what each token sees of the picture."""
    ids, labels, views = [], [], []
    later = ALL if num_tiles and variant.fusion != "self-attention" else NOTHING

    def add(text, view, learn=False):
        new = tokenizer.encode(text)
        ids.extend(new)
        labels.extend(new if learn else [IGNORED] * len(new))
        views.extend([view] * len(new))

    add(SYSTEM, NOTHING)
    for i, (question, answer) in enumerate(turns):
        for text, view in prompt_pieces(variant, 0 if i else num_tiles, tokens_per_tile, question):
            add(text, later if i else view)
        if answer is not None:
            add(f"{answer}{END}", later, learn=True)
    return ids, labels, views


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


def make_sample(rng, sizes, tiles):
    """One conversation about one picture: turns, pixels, patch labels."""
    scene = pictures.draw_scene(rng, list(KINDS)[rng.choice(len(KINDS), p=list(KINDS.values()))], tiles)
    tiles, boxes = tiling.tile_picture(scene.picture, sizes.tile)
    most = {"shapes": 2, "sum": 2, "price": 2}.get(scene.kind, 1)
    turns = [questions.ask(rng, scene)[1:] for _ in range(int(rng.integers(1, most + 1)))]
    return turns, tiling.normalise(tiles), patch_labels(scene.marks, boxes, sizes)


def make_talk(rng):
    """A conversation without a picture."""
    if rng.random() < 0.5:
        question, answer = questions.TALK[rng.integers(len(questions.TALK))]
    else:
        a, b = rng.integers(0, 10, 2)
        question, answer = f"What is {a} plus {b}?", str(a + b)
    return [(question, answer)], None, None


def encode_batch(samples, variant, tokenizer, sizes):
    """The Batch of samples for one variant."""
    counts = [0 if pixels is None else len(pixels) for _, pixels, _ in samples]
    rows = [encode_turns(tokenizer, variant, n, sizes.tokens_per_tile, turns) for n, (turns, _, _) in zip(counts, samples)]
    return collate(rows, counts, tokenizer.added["<|endoftext|>"], tokenizer.added["<|vision_pad|>"])


def collate(rows, counts, padding, image_token):
    """A Batch of (ids, labels, views) rows."""
    ids = padded([ids for ids, _, _ in rows], padding)
    views = padded([views for _, _, views in rows], NOTHING)
    learnt = [np.flatnonzero(np.array(labels) != IGNORED) for _, labels, _ in rows]
    same = (ids == ids[0]).all(0) & (ids[0] != image_token) & (views == NOTHING).all(0)
    shared = min(int(np.argmin([*same, False])), min(int(at[0]) for at in learnt) - 1)
    places = padded([at - 1 - shared for at in learnt], 0)
    wanted = padded([np.array(labels)[at] for (_, labels, _), at in zip(rows, learnt)], IGNORED)
    return Batch(*map(torch.from_numpy, (ids, views)), counts, shared, *map(torch.from_numpy, (places, wanted)))


def padded(rows, fill):
    """int64 [rows, longest]."""
    table = np.full((len(rows), max(len(row) for row in rows)), fill, np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def stacked(arrays):
    """Pixels or patch labels of all samples that have them, as one tensor; None if none has."""
    present = [a for a in arrays if a is not None]
    return torch.from_numpy(np.concatenate(present)) if present else None


def make_samples(rng, tokenizer, sizes, count, shares, chunk=16):
    """`count` samples, those of like length together in chunks of up to `chunk`; shares of pictures with (several, six) tiles."""
    several, six = shares
    samples = []
    for _ in range(count):
        choice = rng.random()
        tiles = pictures.SIX if choice > 1 - six else pictures.SEVERAL if choice > 1 - six - several else pictures.ONE
        samples.append(make_talk(rng) if choice < 0.02 else make_sample(rng, sizes, tiles))

    def length(sample):
        return len(sample[1]) if sample[1] is not None else 0, sum(len(tokenizer.encode(q + a)) for q, a in sample[0])

    samples.sort(key=length)
    return [samples[i:i + chunk] for i in range(0, count, chunk)]


@torch.no_grad()
def answer(model, variant, tokenizer, asked, limit=48):
    """Greedy answers to (pixels or None, question), all at once. Recomputes the whole sequences each step."""
    features = stacked([pixels for pixels, _ in asked])
    features = model.vision(features) if features is not None else None
    counts = [0 if pixels is None else len(pixels) for pixels, _ in asked]
    prompts = [encode_turns(tokenizer, variant, n, model.sizes.tokens_per_tile, [(question, None)]) for n, (_, question) in zip(counts, asked)]
    ids, views = [list(ids) for ids, _, _ in prompts], [list(views) for _, _, views in prompts]
    padding, end = tokenizer.added["<|endoftext|>"], tokenizer.added[END]
    for _ in range(limit):
        last = torch.tensor([[len(row) - 1] for row in ids])
        batch = Batch(torch.from_numpy(padded(ids, padding)), torch.from_numpy(padded(views, NOTHING)), counts, 0, last, None)
        for row, seen, token in zip(ids, views, model.lm_head(model.hidden_states(batch, features))[:, 0].argmax(-1).tolist()):
            row.append(token)
            seen.append(seen[-1])
        if all(end in row[len(prompt):] for row, (prompt, _, _) in zip(ids, prompts)):
            break
    new = [row[len(prompt):] for row, (prompt, _, _) in zip(ids, prompts)]
    return [tokenizer.decode(row[:row.index(end)] if end in row else row) for row in new]
