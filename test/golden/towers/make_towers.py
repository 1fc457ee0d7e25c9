"""
Tiny checkpoints with the language models and tensor names that test/golden/official has not, and what they give.

    /usr/bin/python3 test/golden/towers/make_towers.py

The models are written here from the descriptions in the papers and the published configuration, in plain PyTorch, one
matrix at a time; nothing of the library and no transformers is used. Weights are random, in float32. For each
checkpoint: `ckpt/<name>/` the checkpoint; `<name>.json` the tokens that went in, the greedy tokens that came out with the
gap between the two best logits; `<name>.f32` little-endian float32, one behind the other: features of the picture,
logits of all prompt positions, logits of the prompt without picture from position 900 on.
Made with Debian's torch 1.13.0a0, numpy 1.24.2, sentencepiece 0.1.97, Python 3.11.2.
"""

import io
import json
import math
import pathlib
import struct

import numpy as np
import sentencepiece
import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
QWEN_FILES = HERE.parent / "official/ckpt/internvl-tiny-fp32"
TILE, PATCH, VIT, VIT_HEADS, VIT_FFN, VIT_LAYERS = 56, 14, 32, 4, 64, 2
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, LAYERS = 64, 4, 2, 16, 96, 2
GROUP = HEADS // KV_HEADS
TOKENS_PER_TILE = 4
NUM_GREEDY = 12
ADDED = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"]


def save_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(t.contiguous().numpy().astype("<f4").tobytes() for t in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class Weights:
    """Random numbers by canonical name, in the order in which they are asked for."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.tensors = {}

    def __call__(self, name, *shape, scale=None, mean=0.0):
        if name not in self.tensors:
            std = scale if scale is not None else 1 / math.sqrt(shape[-1])
            values = self.random.standard_normal(shape) * std + mean
            self.tensors[name] = torch.from_numpy(values.astype(np.float32))
        return self.tensors[name]

    def norm(self, name, size):
        return self(name, size, scale=0.1, mean=1.0)


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


# ---------------------------------------------------------------- picture side


def vit(w, pixels, kind):
    """kind: 'layer_norm' as the 300M tower, 'rms_norm' as the 6B tower."""
    is_large = kind == "rms_norm"
    n = pixels.shape[0]
    grid = F.conv2d(pixels, w("vit.patch.w", VIT, 3, PATCH, PATCH, scale=0.05), w("vit.patch.b", VIT, scale=0.1), stride=PATCH)
    x = grid.flatten(2).transpose(1, 2)
    x = torch.cat([w("vit.class", 1, 1, VIT, scale=0.5).expand(n, -1, -1), x], 1)
    x = x + w("vit.positions", 1, 1 + (TILE // PATCH) ** 2, VIT, scale=0.3)
    for layer in range(VIT_LAYERS):
        p = f"vit.{layer}."

        def norm(name, value):
            weight = w.norm(p + name + ".w", VIT)
            if is_large:
                return rms_norm(value, weight, 1e-6)
            return F.layer_norm(value, (VIT,), weight, w(p + name + ".b", VIT, scale=0.1), 1e-6)

        y = norm("norm1", x)
        parts = []
        for part in "qkv":
            bias = None if is_large else w(p + part + ".b", VIT, scale=0.1)
            value = F.linear(y, w(p + part + ".w", VIT, VIT), bias)
            if is_large and part != "v":
                value = rms_norm(value, w.norm(p + part + "_norm.w", VIT), 1e-6)
            parts.append(value.view(n, -1, VIT_HEADS, VIT // VIT_HEADS).transpose(1, 2))
        q, k, v = parts
        scores = (q * (VIT // VIT_HEADS) ** -0.5) @ k.transpose(2, 3)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, -1, VIT)
        y = F.linear(y, w(p + "o.w", VIT, VIT), w(p + "o.b", VIT, scale=0.1))
        x = x + y * w(p + "ls1", VIT, scale=0.2, mean=0.5)
        y = norm("norm2", x)
        y = F.gelu(F.linear(y, w(p + "fc1.w", VIT_FFN, VIT), w(p + "fc1.b", VIT_FFN, scale=0.1)))
        y = F.linear(y, w(p + "fc2.w", VIT, VIT_FFN), w(p + "fc2.b", VIT, scale=0.1))
        x = x + y * w(p + "ls2", VIT, scale=0.2, mean=0.5)
    return x[:, 1:]


def merge_patches(features):
    """2 x 2 patches become one token, row by row; in a token the patches follow each other row by row."""
    n, side = features.shape[0], TILE // PATCH
    tokens = torch.empty(n, (side // 2) ** 2, 4 * VIT)
    grid = features.view(n, side, side, VIT)
    for row in range(side // 2):
        for column in range(side // 2):
            block = grid[:, 2 * row:2 * row + 2, 2 * column:2 * column + 2]
            tokens[:, row * (side // 2) + column] = block.reshape(n, 4 * VIT)
    return tokens


def project(w, features):
    x = merge_patches(features).view(-1, 4 * VIT)
    x = F.layer_norm(x, (4 * VIT,), w.norm("mlp.norm.w", 4 * VIT), w("mlp.norm.b", 4 * VIT, scale=0.1), 1e-5)
    x = F.gelu(F.linear(x, w("mlp.up.w", HIDDEN, 4 * VIT), w("mlp.up.b", HIDDEN, scale=0.1)))
    return F.linear(x, w("mlp.down.w", HIDDEN, HIDDEN), w("mlp.down.b", HIDDEN, scale=0.1))


# ---------------------------------------------------------------- language side


def frequencies(rope):
    base = torch.tensor(float(rope["theta"]))
    inverse = 1.0 / base ** (torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM)
    if "llama3" not in rope:
        return inverse / rope.get("linear", 1.0)
    factor, low, high, length = rope["llama3"]
    scaled = []
    for f in inverse.tolist():
        wavelength = 2 * math.pi / f
        if wavelength < length / high:
            scaled.append(f)
        elif wavelength > length / low:
            scaled.append(f / factor)
        else:
            smooth = (length / wavelength - low) / (high - low)
            scaled.append((1 - smooth) * f / factor + smooth * f)
    return torch.tensor(scaled)


def turn(x, positions, inverse):
    """x [heads, length, dim]; channel i turns with channel i + dim / 2."""
    angles = positions.float()[:, None] * inverse[None]
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., :HEAD_DIM // 2], x[..., HEAD_DIM // 2:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def decoder(w, embeds, positions, config):
    length, eps = embeds.shape[0], config["eps"]
    inverse = frequencies(config["rope"])
    mask = torch.full((length, length), float("-inf")).triu(1)
    x = embeds
    for layer in range(LAYERS):
        p = f"llm.{layer}."
        y = rms_norm(x, w.norm(p + "norm1.w", HIDDEN), eps)

        def linear(name, out, into, value, biased=False):
            return F.linear(value, w(p + name + ".w", out, into), w(p + name + ".b", out, scale=0.1) if biased else None)

        q = linear("q", HEADS * HEAD_DIM, HIDDEN, y, config["qkv_bias"]).view(length, HEADS, HEAD_DIM).transpose(0, 1)
        k = linear("k", KV_HEADS * HEAD_DIM, HIDDEN, y, config["qkv_bias"]).view(length, KV_HEADS, HEAD_DIM).transpose(0, 1)
        v = linear("v", KV_HEADS * HEAD_DIM, HIDDEN, y, config["qkv_bias"]).view(length, KV_HEADS, HEAD_DIM).transpose(0, 1)
        q, k = turn(q, positions, inverse), turn(k, positions, inverse)
        heads = []
        for head in range(HEADS):
            scores = q[head] @ k[head // GROUP].T / math.sqrt(HEAD_DIM) + mask
            heads.append(scores.softmax(-1) @ v[head // GROUP])
        x = x + linear("o", HIDDEN, HEADS * HEAD_DIM, torch.cat(heads, -1), config["o_bias"])
        y = rms_norm(x, w.norm(p + "norm2.w", HIDDEN), eps)
        x = x + linear("down", HIDDEN, FFN, F.silu(linear("gate", FFN, HIDDEN, y)) * linear("up", FFN, HIDDEN, y))
    x = rms_norm(x, w.norm("llm.norm.w", HIDDEN), eps)
    return F.linear(x, w("llm.embed", config["vocab"], HIDDEN, scale=1.0) if config["tied"] else w("llm.head", config["vocab"], HIDDEN))


# ---------------------------------------------------------------- names


def official_vit_names(tensors, is_large):
    out = {
        "vision_model.embeddings.class_embedding": tensors["vit.class"],
        "vision_model.embeddings.position_embedding": tensors["vit.positions"],
        "vision_model.embeddings.patch_embedding.weight": tensors["vit.patch.w"],
        "vision_model.embeddings.patch_embedding.bias": tensors["vit.patch.b"],
    }
    for layer in range(VIT_LAYERS):
        p, o = f"vit.{layer}.", f"vision_model.encoder.layers.{layer}."
        out[o + "attn.qkv.weight"] = torch.cat([tensors[p + part + ".w"] for part in "qkv"])
        if is_large:
            out |= {o + "attn.q_norm.weight": tensors[p + "q_norm.w"], o + "attn.k_norm.weight": tensors[p + "k_norm.w"]}
        else:
            out[o + "attn.qkv.bias"] = torch.cat([tensors[p + part + ".b"] for part in "qkv"])
        for ours, theirs in [("o", "attn.proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2"), ("norm1", "norm1"), ("norm2", "norm2")]:
            out[f"{o}{theirs}.weight"] = tensors[f"{p}{ours}.w"]
            if f"{p}{ours}.b" in tensors:
                out[f"{o}{theirs}.bias"] = tensors[f"{p}{ours}.b"]
        out |= {o + "ls1": tensors[p + "ls1"], o + "ls2": tensors[p + "ls2"]}
    for ours, theirs in [("norm", "0"), ("up", "1"), ("down", "3")]:
        out |= {f"mlp1.{theirs}.weight": tensors[f"mlp.{ours}.w"], f"mlp1.{theirs}.bias": tensors[f"mlp.{ours}.b"]}
    return out


def native_vit_names(tensors):
    out = {
        "vision_tower.embeddings.cls_token": tensors["vit.class"],
        "vision_tower.embeddings.position_embeddings": tensors["vit.positions"],
        "vision_tower.embeddings.patch_embeddings.projection.weight": tensors["vit.patch.w"],
        "vision_tower.embeddings.patch_embeddings.projection.bias": tensors["vit.patch.b"],
    }
    renamed = [
        ("q", "attention.q_proj"), ("k", "attention.k_proj"), ("v", "attention.v_proj"), ("q_norm", "attention.q_norm"),
        ("k_norm", "attention.k_norm"), ("o", "attention.projection_layer"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2"),
        ("norm1", "layernorm_before"), ("norm2", "layernorm_after"),
    ]
    for layer in range(VIT_LAYERS):
        p, o = f"vit.{layer}.", f"vision_tower.encoder.layer.{layer}."
        for ours, theirs in renamed:
            for kind, suffix in [("w", "weight"), ("b", "bias")]:
                if f"{p}{ours}.{kind}" in tensors:
                    out[f"{o}{theirs}.{suffix}"] = tensors[f"{p}{ours}.{kind}"]
        out |= {o + "lambda_1": tensors[p + "ls1"], o + "lambda_2": tensors[p + "ls2"]}
    for ours, theirs in [("norm", "layer_norm"), ("up", "linear_1"), ("down", "linear_2")]:
        out[f"multi_modal_projector.{theirs}.weight"] = tensors[f"mlp.{ours}.w"]
        out[f"multi_modal_projector.{theirs}.bias"] = tensors[f"mlp.{ours}.b"]
    return out


def llama_names(tensors, tied):
    out = {"language_model.model.embed_tokens.weight": tensors["llm.embed"], "language_model.model.norm.weight": tensors["llm.norm.w"]}
    if not tied:
        out["language_model.lm_head.weight"] = tensors["llm.head"]
    renamed = [
        ("norm1", "input_layernorm"), ("q", "self_attn.q_proj"), ("k", "self_attn.k_proj"), ("v", "self_attn.v_proj"),
        ("o", "self_attn.o_proj"), ("norm2", "post_attention_layernorm"), ("gate", "mlp.gate_proj"), ("up", "mlp.up_proj"),
        ("down", "mlp.down_proj"),
    ]
    for layer in range(LAYERS):
        for ours, theirs in renamed:
            for kind, suffix in [("w", "weight"), ("b", "bias")]:
                if f"llm.{layer}.{ours}.{kind}" in tensors:
                    out[f"language_model.model.layers.{layer}.{theirs}.{suffix}"] = tensors[f"llm.{layer}.{ours}.{kind}"]
    return out


def internlm2_names(tensors):
    """For each key head: its query heads, its key, its value."""
    out = {
        "language_model.model.tok_embeddings.weight": tensors["llm.embed"],
        "language_model.model.norm.weight": tensors["llm.norm.w"],
        "language_model.output.weight": tensors["llm.head"],
    }
    for layer in range(LAYERS):
        p, o = f"llm.{layer}.", f"language_model.model.layers.{layer}."
        rows = []
        for group in range(KV_HEADS):
            rows.append(tensors[p + "q.w"][group * GROUP * HEAD_DIM:(group + 1) * GROUP * HEAD_DIM])
            rows.append(tensors[p + "k.w"][group * HEAD_DIM:(group + 1) * HEAD_DIM])
            rows.append(tensors[p + "v.w"][group * HEAD_DIM:(group + 1) * HEAD_DIM])
        out |= {
            o + "attention_norm.weight": tensors[p + "norm1.w"],
            o + "attention.wqkv.weight": torch.cat(rows),
            o + "attention.wo.weight": tensors[p + "o.w"],
            o + "ffn_norm.weight": tensors[p + "norm2.w"],
            o + "feed_forward.w1.weight": tensors[p + "gate.w"],
            o + "feed_forward.w3.weight": tensors[p + "up.w"],
            o + "feed_forward.w2.weight": tensors[p + "down.w"],
        }
    return out


# ---------------------------------------------------------------- configs and tokenizers


def vision_fields(is_large):
    return {
        "architectures": ["InternVisionModel"], "model_type": "intern_vit_6b", "hidden_act": "gelu", "hidden_size": VIT,
        "image_size": TILE, "intermediate_size": VIT_FFN, "layer_norm_eps": 1e-6, "num_attention_heads": VIT_HEADS,
        "num_channels": 3, "num_hidden_layers": VIT_LAYERS, "patch_size": PATCH,
        "norm_type": "rms_norm" if is_large else "layer_norm", "qk_normalization": is_large, "qkv_bias": not is_large,
    }


def language_fields(config):
    rope = config["rope"]
    scaling = None
    if "llama3" in rope:
        factor, low, high, length = rope["llama3"]
        scaling = {"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high, "original_max_position_embeddings": length}
    elif "dynamic" in rope:
        scaling = {"type": "dynamic", "factor": rope["dynamic"]}
    return {
        "hidden_act": "silu", "hidden_size": HIDDEN, "intermediate_size": FFN, "max_position_embeddings": 2048,
        "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "num_key_value_heads": KV_HEADS, "rms_norm_eps": config["eps"],
        "rope_theta": rope["theta"], "rope_scaling": scaling, "tie_word_embeddings": config["tied"], "vocab_size": config["vocab"],
    }


def chat_config(template, vision, language):
    return {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "downsample_ratio": 0.5,
        "dynamic_image_size": True, "force_image_size": TILE, "max_dynamic_patch": 12, "min_dynamic_patch": 1,
        "ps_version": "v2", "select_layer": -1, "template": template, "use_thumbnail": True, "torch_dtype": "float32",
        "vision_config": vision, "llm_config": language,
    }


def token_entry(text, is_special=True):
    return {"content": text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": is_special}


def sentencepiece_files(folder):
    """A small model of InternLM2's kind: BPE with byte fallback, no space put before the text."""
    corpus = (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, vocab_size=480, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False, character_coverage=0.995,
        split_digits=True, user_defined_symbols=["[UNUSED_TOKEN_145]", "[UNUSED_TOKEN_146]", "\n\n"], num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    size = processor.get_piece_size()
    decoder = {str(i): token_entry(text) for i, text in enumerate(["<unk>", "<s>", "</s>"])}
    decoder[str(processor.piece_to_id("[UNUSED_TOKEN_145]"))] = token_entry("<|im_end|>")
    decoder[str(processor.piece_to_id("[UNUSED_TOKEN_146]"))] = token_entry("<|im_start|>")
    for index, text in enumerate(ADDED):
        decoder[str(size + index)] = token_entry(text)
    write_json(folder / "tokenizer_config.json", {
        "added_tokens_decoder": decoder, "additional_special_tokens": ["<|im_start|>", "<|im_end|>", *ADDED],
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False, "model_max_length": 8192, "tokenizer_class": "InternLM2Tokenizer",
    })
    ids = {entry["content"]: int(i) for i, entry in decoder.items()}
    return processor, ids, size + len(ADDED)


def llama3_files(folder):
    """Llama 3's kind of tokenizer.json: its word pattern, whole words before merges, the begin of text put first."""
    base = json.loads((QWEN_FILES / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = base["model"]["vocab"]
    # a word of the vocabulary that no merges lead to: only `ignore_merges` finds it
    vocab = {**vocab, "zqx": len(vocab)}
    texts = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>", *ADDED]
    added = [{"id": len(vocab) + i, **token_entry(text)} for i, text in enumerate(texts)]
    pattern = base["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"].replace(r"|\p{N}|", r"|\p{N}{1,3}|")
    begin = {"id": "<|begin_of_text|>", "ids": [added[0]["id"]], "tokens": ["<|begin_of_text|>"]}
    special = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
    write_json(folder / "tokenizer.json", {
        **base, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            {"type": "TemplateProcessing", "single": [special, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [], "special_tokens": {"<|begin_of_text|>": begin}},
        ]},
        "model": {**base["model"], "vocab": vocab, "ignore_merges": True},
    })
    write_json(folder / "tokenizer_config.json", {
        "added_tokens_decoder": {str(one["id"]): token_entry(one["content"]) for one in added},
        "bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>", "clean_up_tokenization_spaces": True,
        "model_max_length": 8192, "tokenizer_class": "PreTrainedTokenizerFast",
    })
    return {one["content"]: one["id"] for one in added}, len(vocab) + len(added)


def qwen_files(folder):
    for name in ["vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]:
        (folder / name).write_bytes((QWEN_FILES / name).read_bytes())
    decoder = json.loads((QWEN_FILES / "tokenizer_config.json").read_text(encoding="utf-8"))["added_tokens_decoder"]
    ids = {entry["content"]: int(i) for i, entry in decoder.items()}
    return ids, max(ids.values()) + 1


# ---------------------------------------------------------------- runs


def make(name, seed, is_large, config, ids, num_base, write):
    w = Weights(seed)
    random = np.random.default_rng(seed + 1)
    folder = HERE / "ckpt" / name
    pixels = torch.from_numpy(random.standard_normal((2, 3, TILE, TILE)).astype(np.float32))
    features = project(w, vit(w, pixels, "rms_norm" if is_large else "layer_norm"))
    table = w("llm.embed", config["vocab"], HIDDEN, scale=1.0)
    text = [int(i) for i in random.integers(3, num_base, 20)]
    context = ids["<IMG_CONTEXT>"]
    prompt = text[:5] + [ids["<img>"]] + [context] * (2 * TOKENS_PER_TILE) + [ids["</img>"]] + text[5:]

    def logits(tokens, first=0):
        embeds = table[torch.tensor(tokens)].clone()
        marks = [i for i, token in enumerate(tokens[:len(prompt)]) if token == context]
        if marks:
            embeds[marks] = features
        return decoder(w, embeds, torch.arange(first, first + len(tokens)), config)

    all_logits = logits(prompt)
    tokens, greedy, margins = list(prompt), [], []
    for _ in range(NUM_GREEDY):
        best = logits(tokens)[-1].topk(2)
        greedy.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
        tokens.append(greedy[-1])
    far = logits(text, 900)
    save_safetensors(folder / "model.safetensors", write(w.tensors))
    values = [pixels, features, all_logits, far]
    (HERE / f"{name}.f32").write_bytes(b"".join(v.contiguous().numpy().astype("<f4").tobytes() for v in values))
    write_json(HERE / f"{name}.json", {
        "prompt": prompt, "text": text, "farPosition": 900, "greedy": greedy, "margins": margins,
        "shapes": {key: list(v.shape) for key, v in zip(["pixelValues", "features", "logits", "farLogits"], values)},
    })


def internlm2():
    folder = HERE / "ckpt/internlm2"
    folder.mkdir(parents=True, exist_ok=True)
    processor, ids, vocab = sentencepiece_files(folder)
    config = {"eps": 1e-5, "rope": {"theta": 1000000, "dynamic": 2.0}, "qkv_bias": False, "o_bias": False, "tied": False, "vocab": vocab}
    language = {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2", "bias": False, **language_fields(config)}
    write_json(folder / "config.json", chat_config("internvl2_5", vision_fields(False), language))
    make("internlm2", 20, False, config, ids, processor.get_piece_size(), lambda t: {**official_vit_names(t, False), **internlm2_names(t)})


def llama3():
    folder = HERE / "ckpt/llama3"
    folder.mkdir(parents=True, exist_ok=True)
    ids, vocab = llama3_files(folder)
    config = {"eps": 1e-5, "rope": {"theta": 500000, "llama3": (8.0, 1.0, 4.0, 256)}, "qkv_bias": True, "o_bias": True, "tied": False, "vocab": vocab}
    language = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": True, **language_fields(config)}
    write_json(folder / "config.json", chat_config("internlm2-chat", vision_fields(True), language))
    make("llama3", 30, True, config, ids, vocab - 13, lambda t: {**official_vit_names(t, True), **llama_names(t, False)})


def native():
    """transformers' own InternVL, on Qwen2, with the tower of the large models."""
    folder = HERE / "ckpt/internvl-hf"
    folder.mkdir(parents=True, exist_ok=True)
    ids, vocab = qwen_files(folder)
    config = {"eps": 1e-6, "rope": {"theta": 1000000}, "qkv_bias": True, "o_bias": False, "tied": False, "vocab": vocab}
    vision = {k: v for k, v in vision_fields(True).items() if k not in ("qk_normalization", "qkv_bias")}
    vision |= {
        "architectures": ["InternVLVisionModel"], "model_type": "internvl_vision", "image_size": [TILE, TILE],
        "patch_size": [PATCH, PATCH], "use_qk_norm": True, "attention_bias": False, "use_mean_pooling": True,
        "use_absolute_position_embeddings": True,
    }
    language = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "use_sliding_window": False, "sliding_window": 16, **language_fields(config)}
    write_json(folder / "config.json", {
        "architectures": ["InternVLForConditionalGeneration"], "model_type": "internvl", "downsample_ratio": 0.5,
        "image_seq_length": TOKENS_PER_TILE, "image_token_id": ids["<IMG_CONTEXT>"], "projector_hidden_act": "gelu",
        "vision_feature_layer": -1, "vision_feature_select_strategy": "default", "torch_dtype": "float32",
        "text_config": language, "vision_config": vision,
    })
    write_json(folder / "preprocessor_config.json", {
        "crop_to_patches": False, "image_processor_type": "GotOcr2ImageProcessorFast", "max_patches": 7, "min_patches": 1,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": {"height": TILE, "width": TILE},
    })
    make("internvl-hf", 40, True, config, ids, 450, lambda t: {**native_vit_names(t), **llama_names(t, False)})


internlm2()
llama3()
native()
