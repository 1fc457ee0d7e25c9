"""
NVLM-X and NVLM-H in plain PyTorch, written from the paper's text (arXiv 2409.11402, sections 3.1 to 3.3): tiny random
checkpoints and what they give.

    /usr/bin/python3 test/golden/fusion/make_fusion.py

One token, one head and one tile at a time, without masks and caches: for each token the list of tiles that it sees is
written down, their keys and values are gathered, and a token that sees none gets nothing. The vision model is the one of
../towers. Where the paper says nothing, config.json names the choice (`cross_attention`).
For each checkpoint: `ckpt/<name>/`; `<name>.json` the cases with their tokens, the tiles each token sees and the greedy
answer with the gap between the two best logits; `<name>.f32` little-endian float32 logits of all prompt positions, one
case behind the other, in the `shape` of each. A case may change the gates or the placement of its checkpoint.
Made with Debian's torch 1.13.0a0, numpy 1.24.2, Pillow 9.4.0, Python 3.11.2.
"""

import json
import math
import pathlib
import re
import sys

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "towers"))
from make_towers import PATCH, TILE, VIT, VIT_FFN, VIT_HEADS, VIT_LAYERS, Weights  # noqa: E402
from make_towers import merge_patches, official_vit_names, rms_norm, save_safetensors, vit, write_json  # noqa: E402

OFFICIAL = HERE.parent / "official"
TOKENIZER = OFFICIAL / "ckpt/nvlmd-tiny-fp32"
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, LAYERS, VOCAB = 64, 4, 2, 16, 64, 3, 480
CROSS_LAYERS = [0, 2]
GROUP = HEADS // KV_HEADS
THETA, EPS, DUMMY_HEADS, MOST_TILES, NUM_GREEDY = 10000.0, 1e-6, 7, 6, 12
TOKENS_PER_TILE = (TILE // PATCH // 2) ** 2
PAD, END = "<|vision_pad|>", "<|im_end|>"


# ---------------------------------------------------------------- text to tokens


class Tokens:
    """Qwen2's byte-level BPE for ASCII text, from the files of the official tiny checkpoint."""

    SPLIT = re.compile(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )

    def __init__(self):
        self.vocab = json.loads((TOKENIZER / "vocab.json").read_text(encoding="utf-8"))
        lines = (TOKENIZER / "merges.txt").read_text(encoding="utf-8").splitlines()
        pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        self.rank = {pair: i for i, pair in enumerate(pairs)}
        added = json.loads((TOKENIZER / "tokenizer_config.json").read_text(encoding="utf-8"))["added_tokens_decoder"]
        self.added = {entry["content"]: int(i) for i, entry in added.items()}
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printable]
        self.symbol = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}

    def encode(self, text):
        """Text without borders: an added token is one id, the rest is merged word by word."""
        ids = []
        for part in re.split("(" + "|".join(map(re.escape, self.added)) + ")", text):
            if part in self.added:
                ids.append(self.added[part])
                continue
            for word in self.SPLIT.findall(part):
                symbols = [self.symbol[b] for b in word.encode("utf-8")]
                while True:
                    ranks = [self.rank.get(pair, math.inf) for pair in zip(symbols, symbols[1:])]
                    if not ranks or min(ranks) == math.inf:
                        break
                    at = ranks.index(min(ranks))
                    symbols[at:at + 2] = ["".join(symbols[at:at + 2])]
                ids += [self.vocab[s] for s in symbols]
        return ids

    def decode(self, ids):
        """What is left after skipping the added tokens, up to the end of the turn."""
        text, byte = {i: s for s, i in self.vocab.items()}, {s: b for b, s in self.symbol.items()}
        if self.added[END] in ids:
            ids = ids[:ids.index(self.added[END])]
        return bytes(byte[s] for i in ids for s in text.get(i, "")).decode("utf-8", "replace").strip()


# ---------------------------------------------------------------- pictures


def tiles_of(name):
    """The official tiling: float32 [tiles, 3, TILE, TILE], the thumbnail last; one tile has none."""
    picture = Image.open(OFFICIAL / "images" / name).convert("RGB")
    ratio, area = picture.width / picture.height, picture.width * picture.height
    best, distance = (1, 1), math.inf
    grids = {(c, r) for c in range(1, MOST_TILES + 1) for r in range(1, MOST_TILES + 1) if c * r <= MOST_TILES}
    for c, r in sorted(grids, key=lambda grid: (grid[0] * grid[1], grid)):
        d = abs(ratio - c / r)
        if d < distance or (d == distance and area > 0.5 * TILE * TILE * c * r):
            best, distance = (c, r), d
    columns, rows = best
    whole = picture.resize((TILE * columns, TILE * rows))
    tiles = [whole.crop((TILE * c, TILE * r, TILE * (c + 1), TILE * (r + 1))) for r in range(rows) for c in range(columns)]
    if len(tiles) > 1:
        tiles.append(picture.resize((TILE, TILE)))
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return np.stack([((np.asarray(t, np.float32) / np.float32(255) - mean) / std).transpose(2, 0, 1) for t in tiles])


# ---------------------------------------------------------------- the prompt


class Sequence:
    """Tokens with the tiles that each one sees; `pictures` hold the projected tiles [tiles, tokens, HIDDEN]."""

    def __init__(self, kind, tags, tokens, pictures):
        self.kind, self.tags, self.tokens, self.pictures = kind, tags, tokens, pictures
        self.ids, self.sees = [], []
        self.placed = {}  # the first position of each thumbnail in the sequence, and its features
        self.known = []  # the tiles of all pictures so far

    def add(self, text, sees=None):
        new = self.tokens.encode(text)
        self.ids += new
        self.sees += [list(self.known if sees is None else sees)] * len(new)

    def add_picture(self, index):
        """The thumbnail comes last; in H it is part of the sequence and not of what is seen from outside."""
        count = len(self.pictures[index])
        outside = [(index, tile) for tile in range(count if self.kind == "x" else count - 1)]
        self.add("<Image>")
        if self.kind == "x":
            names = [f"<tile_{tile + 1}>" for tile in range(count - 1)] + ["<tile_global_thumbnail>"]
            for tile, name in enumerate(names if self.tags else []):
                self.add(name, [(index, tile)])
            self.known = self.known + outside
        else:
            self.known = self.known + outside
            self.add(("<tile_global_thumbnail>" if self.tags else "") + PAD * TOKENS_PER_TILE)
            self.placed[len(self.ids) - TOKENS_PER_TILE] = self.pictures[index][count - 1]
        self.add("</Image>")


def chat(kind, tags, tokens, pictures, turns):
    """turns: (question, answer or None); each `<image>` is the next picture."""
    sequence = Sequence(kind, tags, tokens, pictures)
    text, used = f"<|im_start|>system\nAnswer the questions.{END}", 0
    for question, answer in turns:
        text += f"<|im_start|>user\n{question}{END}<|im_start|>assistant\n" + (f"{answer}{END}" if answer is not None else "")
    parts = text.split("<image>")
    for part in parts[:-1]:
        sequence.add(part)
        sequence.add_picture(used)
        used += 1
    sequence.add(parts[-1])
    return sequence


# ---------------------------------------------------------------- the model


def project(w, kind, tiles):
    x = merge_patches(vit(w, torch.from_numpy(tiles), "rms_norm"))
    x = F.layer_norm(x, (4 * VIT,), w.norm("mlp.norm.w", 4 * VIT), w("mlp.norm.b", 4 * VIT, scale=0.1), 1e-5)
    if kind == "x":
        return F.linear(x, w("mlp.one.w", HIDDEN, 4 * VIT))
    return F.linear(F.gelu(F.linear(x, w("mlp.up.w", FFN, 4 * VIT))), w("mlp.down.w", HIDDEN, FFN))


def outside(w, sequence, picture, tile):
    """What one tile gives to cross-attention: [size, HIDDEN]; in H its tag's embeddings and then its features."""
    features = sequence.pictures[picture][tile]
    if sequence.kind == "x" or not sequence.tags:
        return features
    tag = sequence.tokens.encode(f"<tile_{tile + 1}>")
    return torch.cat([w("embed", VOCAB, HIDDEN)[tag], features])


def cross_attention(w, layer, sequence, x, gate):
    p, result = f"llm.{layer}.cross.", torch.zeros_like(x)
    y = rms_norm(x, w.norm(p + "norm.w", HIDDEN), EPS)
    alpha = w(p + "gate", 1, scale=0.2, mean=0.9) if gate is None else torch.tensor([gate])
    for i, seen in enumerate(sequence.sees):
        if not seen:
            continue
        kv = torch.cat([outside(w, sequence, *one) for one in seen])
        q = F.linear(y[i], w(p + "q.w", HEADS * HEAD_DIM, HIDDEN)).view(HEADS, HEAD_DIM)
        k = F.linear(kv, w(p + "k.w", KV_HEADS * HEAD_DIM, HIDDEN)).view(-1, KV_HEADS, HEAD_DIM)
        v = F.linear(kv, w(p + "v.w", KV_HEADS * HEAD_DIM, HIDDEN)).view(-1, KV_HEADS, HEAD_DIM)
        heads = []
        for head in range(HEADS):
            weights = (k[:, head // GROUP] @ q[head] / math.sqrt(HEAD_DIM)).softmax(0)
            heads.append(weights @ v[:, head // GROUP])
        result[i] = alpha.tanh() * F.linear(torch.cat(heads), w(p + "o.w", HIDDEN, HEADS * HEAD_DIM))
    return result


def turned(x):
    """x [length, HEAD_DIM] turned by its position; channel i turns with channel i + HEAD_DIM / 2."""
    half = HEAD_DIM // 2
    angles = torch.arange(len(x)).float()[:, None] * THETA ** (-torch.arange(half).float() / half)
    a, b = x[:, :half], x[:, half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


def self_attention(w, layer, x):
    p, length = f"llm.{layer}.", len(x)
    y = rms_norm(x, w.norm(p + "norm1.w", HIDDEN), EPS)
    q, k, v = (F.linear(y, w(f"{p}{name}.w", n * HEAD_DIM, HIDDEN), w(f"{p}{name}.b", n * HEAD_DIM, scale=0.1)).view(length, n, HEAD_DIM)
               for name, n in [("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)])
    later = torch.full((length, length), -math.inf).triu(1)
    heads = []
    for head in range(HEADS):
        scores = turned(q[:, head]) @ turned(k[:, head // GROUP]).T / math.sqrt(HEAD_DIM) + later
        heads.append(scores.softmax(-1) @ v[:, head // GROUP])
    return F.linear(torch.cat(heads, -1), w(p + "o.w", HIDDEN, HEADS * HEAD_DIM))


def feed_forward(w, layer, x):
    p = f"llm.{layer}."
    y = rms_norm(x, w.norm(p + "norm2.w", HIDDEN), EPS)
    gate, up = F.linear(y, w(p + "gate.w", FFN, HIDDEN)), F.linear(y, w(p + "up.w", FFN, HIDDEN))
    return F.linear(F.silu(gate) * up, w(p + "down.w", HIDDEN, FFN))


def logits(w, sequence, gate=None, placement="after-self-attention"):
    """float32 [length, VOCAB]. gate: instead of the checkpoint's."""
    x = w("embed", VOCAB, HIDDEN, scale=1.0)[sequence.ids].clone()
    for at, features in sequence.placed.items():
        x[at:at + TOKENS_PER_TILE] = features
    for layer in range(LAYERS):
        crosses = layer in CROSS_LAYERS
        if crosses and placement == "before-self-attention":
            x = x + cross_attention(w, layer, sequence, x, gate)
        x = x + self_attention(w, layer, x)
        if crosses and placement == "after-self-attention":
            x = x + cross_attention(w, layer, sequence, x, gate)
        x = x + feed_forward(w, layer, x)
        if crosses and placement == "after-feed-forward":
            x = x + cross_attention(w, layer, sequence, x, gate)
    return F.linear(rms_norm(x, w.norm("llm.norm.w", HIDDEN), EPS), w("llm.head", VOCAB, HIDDEN))


# ---------------------------------------------------------------- files


def with_dummies(tensors):
    """The published padding: zero heads behind the real ones in q, k and v, in their norms and in the output."""
    size, out = DUMMY_HEADS * VIT // VIT_HEADS, dict(tensors)
    for name, value in tensors.items():
        if name.endswith("attn.qkv.weight"):
            out[name] = torch.cat([torch.cat([part, torch.zeros(size, VIT)]) for part in value.split(VIT)])
        elif name.endswith(("q_norm.weight", "k_norm.weight")):
            out[name] = torch.cat([value, torch.zeros(size)])
        elif name.endswith("attn.proj.weight"):
            out[name] = torch.cat([value, torch.zeros(VIT, size)], 1)
    return out


def vision_tensors(t, kind):
    renamed = {"mlp.norm": "mlp.norm", "mlp.one": "mlp.up"} if kind == "x" else {}
    known = {new + key.removeprefix(old): value for key, value in t.items() for old, new in renamed.items() if key.startswith(old)}
    placeholders = {f"mlp.{name}.{part}": torch.zeros(1) for name in ("norm", "up", "down") for part in "wb"}
    out = with_dummies(official_vit_names(placeholders | t | known, is_large=True))
    for name in ["mlp1.1.bias", "mlp1.3.bias"] + (["mlp1.3.weight"] if kind == "x" else []):
        del out[name]
    return out


def checkpoint_tensors(t, kind):
    out = vision_tensors(t, kind)
    out |= {
        "language_model.model.embed_tokens.weight": t["embed"], "language_model.model.norm.weight": t["llm.norm.w"],
        "language_model.lm_head.weight": t["llm.head"],
    }
    names = {
        "norm1.w": "input_layernorm.weight", "norm2.w": "post_attention_layernorm.weight", "cross.norm.w": "cross_attn_norm.weight",
        "cross.gate": "cross_attn.gate",
        **{f"{n}.w": f"self_attn.{n}_proj.weight" for n in "qkvo"}, **{f"{n}.b": f"self_attn.{n}_proj.bias" for n in "qkv"},
        **{f"cross.{n}.w": f"cross_attn.{n}_proj.weight" for n in "qkvo"},
        **{f"{n}.w": f"mlp.{n}_proj.weight" for n in ("gate", "up", "down")},
    }
    for key, value in t.items():
        match = re.fullmatch(r"llm\.(\d+)\.(.+)", key)
        if match:
            out[f"language_model.model.layers.{match[1]}.{names[match[2]]}"] = value
    return out


def config(kind):
    letter = kind.upper()
    return {
        "architectures": [f"NVLM_{letter}_Model"], "model_type": f"NVLM_{letter}", "torch_dtype": "float32",
        "cross_attention": {
            "layers": CROSS_LAYERS, "placement": "after-self-attention", "gate": "tanh", "gated_ffn": False, "query_norm": True,
            "key_value_norm": False, "bias": False, "rope": False,
        },
        "tile_tags": True, "downsample_ratio": 0.5, "dynamic_image_size": True, "force_image_size": TILE,
        "max_dynamic_patch": MOST_TILES, "min_dynamic_patch": 1, "ps_version": "v2", "select_layer": -1, "template": "chatml",
        "use_thumbnail": True,
        "llm_config": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "attention_bias": True, "bos_token_id": 456,
            "eos_token_id": 458, "hidden_act": "silu", "hidden_size": HIDDEN, "intermediate_size": FFN,
            "max_position_embeddings": 2048, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
            "num_key_value_heads": KV_HEADS, "rms_norm_eps": EPS, "rope_theta": THETA, "tie_word_embeddings": False,
            "torch_dtype": "float32", "vocab_size": VOCAB,
        },
        "vision_config": {
            "architectures": ["InternVisionModel"], "model_type": "intern_vit_6b", "hidden_act": "gelu", "hidden_size": VIT,
            "image_size": TILE, "intermediate_size": VIT_FFN, "layer_norm_eps": 1e-6, "norm_type": "rms_norm",
            "num_attention_heads": VIT_HEADS, "num_channels": 3, "num_hidden_layers": VIT_LAYERS, "patch_size": PATCH,
            "qk_normalization": True, "qkv_bias": False, "torch_dtype": "float32",
        },
    }


# (name, turns, pictures, what differs from the checkpoint)
CASES = [
    ("text", [("Hello, who are you?", None)], [], {}),
    ("one_tile", [("<image>\nDescribe it.", None)], ["b_56x56.png"], {}),
    ("several_tiles", [("<image>\nDescribe it.", None)], ["a_100x60.png"], {}),
    ("text_before", [("Look at this: <image> What is it?", None)], ["c_200x90.png"], {}),
    ("two_pictures", [("First <image> then <image> which?", None)], ["c_200x90.png", "d_37x150.png"], {}),
    ("two_turns", [("<image>\nDescribe it.", "A sign."), ("Which colour?", None)], ["c_200x90.png"], {}),
    ("no_tags", [("<image>\nDescribe it.", None)], ["c_200x90.png"], {"tile_tags": False}),
    ("closed_gates", [("<image>\nDescribe it.", None)], ["c_200x90.png"], {"gate": 0.0}),
    ("before_self_attention", [("<image>\nDescribe it.", None)], ["c_200x90.png"], {"placement": "before-self-attention"}),
    ("after_feed_forward", [("<image>\nDescribe it.", None)], ["c_200x90.png"], {"placement": "after-feed-forward"}),
]


def run(w, kind, tokens, case):
    name, turns, images, changes = case
    pictures = [project(w, kind, tiles_of(image)) for image in images]
    sequence = chat(kind, changes.get("tile_tags", True), tokens, pictures, turns)
    options = {key: value for key, value in changes.items() if key != "tile_tags"}
    prompt, sees, all_logits = list(sequence.ids), list(sequence.sees), logits(w, sequence, **options)
    last, greedy, margins = all_logits[-1], [], []
    while len(greedy) < NUM_GREEDY:
        best = last.topk(2)
        greedy.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
        sequence.ids.append(greedy[-1])
        sequence.sees.append(sequence.known)
        last = logits(w, sequence, **options)[-1]
    if min(margins) < 2e-3:
        raise ValueError(f"{kind} {name}: a greedy step is not certain ({min(margins)}); take another seed")
    firsts = np.cumsum([0, *(len(p) for p in pictures)])
    return all_logits, {
        "name": name, "turns": turns, "images": [f"images/{image}" for image in images], "tileCounts": [len(p) for p in pictures],
        "changes": changes, "inputIds": prompt, "sees": [[int(firsts[p]) + t for p, t in seen] for seen in sees],
        "greedyIds": greedy, "greedyMargins": margins, "text": tokens.decode(greedy),
    }


def make(kind, seed):
    w, tokens, folder = Weights(seed), Tokens(), HERE / "ckpt" / kind
    folder.mkdir(parents=True, exist_ok=True)
    runs = [run(w, kind, tokens, case) for case in CASES]
    save_safetensors(folder / "model.safetensors", checkpoint_tensors(w.tensors, kind))
    write_json(folder / "config.json", config(kind))
    for name in ["vocab.json", "merges.txt", "tokenizer_config.json"]:
        (folder / name).write_bytes((TOKENIZER / name).read_bytes())
    (HERE / f"{kind}.f32").write_bytes(b"".join(values.numpy().astype("<f4").tobytes() for values, _ in runs))
    cases = [{**case, "shape": list(values.shape)} for values, case in runs]
    (HERE / f"{kind}.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    for case in cases:
        print(kind, case["name"], case["shape"][0], f"{min(case['greedyMargins']):.4f}", repr(case["text"]))


if __name__ == "__main__":
    for kind, seed in [("x", 71), ("h", 72)]:
        make(kind, seed)
