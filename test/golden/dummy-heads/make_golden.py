"""
What NVLM-D's vision model gives when its dummy heads are not zero: written from nvidia/NVLM-D-72B
`modeling_intern_vit.py` (InternAttention with `num_dummy_heads = 7`, InternRMSNorm with `num_real_attention_heads`).

    python3 test/golden/dummy-heads/make_golden.py

Takes test/golden/official/ckpt/nvlmd-tiny-fp32, fills the dummy rows and columns with the numbers of `sequence`, runs
one tile in float32 and writes features.f32, float32 [16, 64]. Made with torch 1.13.0a0, numpy 1.24.2, Python 3.11.2.
"""

import json
import pathlib
import struct

import numpy as np
import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
CHECKPOINT = HERE.parent / "official/ckpt/nvlmd-tiny-fp32/model.safetensors"
HIDDEN, HEADS, DUMMIES, LAYERS, PATCH, SIDE = 64, 4, 7, 3, 14, 56
HEAD_DIM = HIDDEN // HEADS
PADDED = (HEADS + DUMMIES) * HEAD_DIM


def sequence(count, seed):
    """The first `count` numbers in [-1, 1) of a linear congruential generator."""
    values, state = np.empty(count, np.float32), seed
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        values[i] = state / 2**31 - 1
    return torch.from_numpy(values)


def read_tensors():
    data = CHECKPOINT.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, np.float32, count, 8 + length + entry["data_offsets"][0])
            tensors[name] = torch.from_numpy(values.copy()).view(entry["shape"])
    return tensors


def fill_dummies(tensors):
    for layer in range(LAYERS):
        attn = f"vision_model.encoder.layers.{layer}.attn"
        rows = tensors[f"{attn}.qkv.weight"].view(3, PADDED, HIDDEN)
        for block in range(3):
            rows[block, HIDDEN:] = 0.2 * sequence((PADDED - HIDDEN) * HIDDEN, 10 * layer + block).view(-1, HIDDEN)
        columns = 0.1 * sequence((PADDED - HIDDEN) * HIDDEN, 10 * layer + 3).view(HIDDEN, -1)
        tensors[f"{attn}.proj.weight"][:, HIDDEN:] = columns


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight


def padded_rms_norm(x, weight):
    square_sum = x[..., :HIDDEN].pow(2).sum(-1, keepdim=True)
    return x * torch.rsqrt(square_sum / HIDDEN + 1e-6) * weight


def attention(x, w):
    q, k, v = F.linear(x, w["attn.qkv.weight"]).view(-1, 3, PADDED).unbind(1)
    q, k = padded_rms_norm(q, w["attn.q_norm.weight"]), padded_rms_norm(k, w["attn.k_norm.weight"])
    q, k, v = (t.view(-1, HEADS + DUMMIES, HEAD_DIM).transpose(0, 1) for t in (q, k, v))
    weights = (q * HEAD_DIM**-0.5 @ k.transpose(-2, -1)).softmax(-1)
    return F.linear((weights @ v).transpose(0, 1).reshape(-1, PADDED), w["attn.proj.weight"], w["attn.proj.bias"])


def main():
    tensors = read_tensors()
    fill_dummies(tensors)
    e = {k.split("embeddings.")[1]: v for k, v in tensors.items() if "vision_model.embeddings" in k}
    pixels = sequence(3 * SIDE * SIDE, 99).view(1, 3, SIDE, SIDE)
    patches = F.conv2d(pixels, e["patch_embedding.weight"], e["patch_embedding.bias"], stride=PATCH).flatten(2)[0].t()
    x = torch.cat([e["class_embedding"][0], patches]) + e["position_embedding"][0]
    for layer in range(LAYERS):
        prefix = f"vision_model.encoder.layers.{layer}."
        w = {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)}
        x = x + w["ls1"] * attention(rms_norm(x, w["norm1.weight"]), w)
        y = F.gelu(F.linear(rms_norm(x, w["norm2.weight"]), w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        x = x + w["ls2"] * F.linear(y, w["mlp.fc2.weight"], w["mlp.fc2.bias"])
    x[1:].numpy().tofile(HERE / "features.f32")


if __name__ == "__main__":
    main()
