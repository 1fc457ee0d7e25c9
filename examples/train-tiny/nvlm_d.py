"""
NVLM-D in PyTorch, small: the maths of the published modeling files, without their options.

The seven dummy heads of the published vision model are all zero and are left out here; `checkpoint.py` writes them.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class Sizes:
    tile: int = 96
    patch: int = 16
    vit_hidden: int = 128
    vit_heads: int = 4
    vit_layers: int = 4
    vit_intermediate: int = 512
    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    layers: int = 3
    intermediate: int = 256
    rope_theta: float = 10000.0
    max_positions: int = 2048

    @property
    def tokens_per_tile(self):
        return (self.tile // self.patch // 2) ** 2


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class VisionAttention(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.heads, self.head_dim = s.vit_heads, s.vit_hidden // s.vit_heads
        self.qkv = nn.Linear(s.vit_hidden, 3 * s.vit_hidden, bias=False)
        self.q_norm, self.k_norm = RMSNorm(s.vit_hidden), RMSNorm(s.vit_hidden)
        self.proj = nn.Linear(s.vit_hidden, s.vit_hidden)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).split(width, -1)
        q, k, v = (t.view(batch, length, self.heads, self.head_dim).transpose(1, 2) for t in (self.q_norm(q), self.k_norm(k), v))
        weights = (q * self.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, length, width))


class VisionLayer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.attn = VisionAttention(s)
        self.norm1, self.norm2 = RMSNorm(s.vit_hidden), RMSNorm(s.vit_hidden)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(s.vit_hidden, s.vit_intermediate), "fc2": nn.Linear(s.vit_intermediate, s.vit_hidden)})
        self.ls1, self.ls2 = (nn.Parameter(torch.full((s.vit_hidden,), 0.5)) for _ in range(2))

    def forward(self, x):
        x = x + self.ls1 * self.attn(self.norm1(x))
        return x + self.ls2 * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class VisionModel(nn.Module):
    def __init__(self, s):
        super().__init__()
        positions = (s.tile // s.patch) ** 2 + 1
        self.class_embedding = nn.Parameter(torch.randn(1, 1, s.vit_hidden) * 0.02)
        self.patch_embedding = nn.Conv2d(3, s.vit_hidden, s.patch, s.patch)
        self.position_embedding = nn.Parameter(torch.randn(1, positions, s.vit_hidden) * 0.02)
        self.layers = nn.ModuleList(VisionLayer(s) for _ in range(s.vit_layers))

    def forward(self, pixels):
        """float32 [tiles, 3, tile, tile] → [tiles, patches, vit_hidden], class token dropped."""
        x = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), -1, -1), x], 1) + self.position_embedding
        for layer in self.layers:
            x = layer(x)
        return x[:, 1:]


def pixel_shuffle(x):
    """[tiles, side*side, c] → [tiles, side*side/4, 4c], version v2: row-major, features ordered (row, column, channel)."""
    tiles, patches, width = x.shape
    half = math.isqrt(patches) // 2
    x = x.view(tiles, half, 2, half, 2, width).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(tiles, half * half, 4 * width)


def rotary(positions, dim, theta):
    inverse = theta ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angles = torch.outer(positions.float(), inverse)
    return torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()


def at_places(x, places):
    """[rows, length, width] → [rows, places, width]: the given places of each row, all if None."""
    if places is None:
        return x
    index = places + torch.arange(len(x))[:, None] * x.shape[1]
    return x.flatten(0, 1).index_select(0, index.flatten()).view(*places.shape, x.shape[-1])


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class DecoderLayer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = s.heads, s.kv_heads, s.hidden // s.heads
        self.rope_theta = s.rope_theta
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(s.hidden), RMSNorm(s.hidden)
        self.q_proj = nn.Linear(s.hidden, s.hidden)
        self.k_proj, self.v_proj = (nn.Linear(s.hidden, s.kv_heads * self.head_dim) for _ in range(2))
        self.o_proj = nn.Linear(s.hidden, s.hidden, bias=False)
        self.gate_proj, self.up_proj = (nn.Linear(s.hidden, s.intermediate, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(s.intermediate, s.hidden, bias=False)
        self.cross_attn = self.cross_attn_norm = None  # only in NVLM-X and NVLM-H, see nvlm_xh.py

    def attention(self, x, first, past, places):
        """x at positions from `first`, after the keys and values `past`; returns the output at `places` and all keys and values."""
        batch, length, _ = x.shape
        cos, sin = rotary(torch.arange(first, first + length), self.head_dim, self.rope_theta)
        q = self.q_proj(at_places(x, places))
        asking = q.shape[1]
        q = q.view(batch, asking, self.heads, self.head_dim).transpose(1, 2)
        places = torch.arange(length)[None] if places is None else places
        q = rotate(q, cos[places][:, None], sin[places][:, None])
        k = rotate(self.k_proj(x).view(batch, length, self.kv_heads, self.head_dim).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.head_dim).transpose(1, 2)
        if past is not None:
            k, v = (torch.cat([old.expand(batch, -1, -1, -1), new], 2) for old, new in zip(past, (k, v)))
        # the queries of one key head side by side, so that keys and values are not repeated
        group = self.heads // self.kv_heads
        q = q.reshape(batch, self.kv_heads, group * asking, self.head_dim)
        later = (torch.arange(first + length) > first + places[..., None]).repeat(1, group, 1)[:, None]
        weights = (q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)).masked_fill(later, float("-inf")).softmax(-1)
        out = (weights @ v).view(batch, self.heads, asking, self.head_dim)
        return self.o_proj(out.transpose(1, 2).reshape(batch, asking, -1)), (k, v)

    def forward(self, x, first=0, past=None, seen=None, places=None):
        """
        `seen`: what the picture gives to cross-attention, (keys and values, mask), or None if there is nothing;
        `places` [rows, count]: what of x is asked for, all if not given.
        """
        attended, kv = self.attention(self.input_layernorm(x), first, past, places)
        x = at_places(x, places) + attended
        if self.cross_attn is not None and seen is not None:
            outside, mask = seen
            x = x + self.cross_attn(self.cross_attn_norm(x), outside, at_places(mask, places))
        y = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y)), kv


class NVLMD(nn.Module):
    def __init__(self, sizes, vocab_size, image_token):
        super().__init__()
        self.sizes, self.image_token = sizes, image_token
        self.vision = VisionModel(sizes)
        self.projector = nn.Sequential(
            nn.LayerNorm(4 * sizes.vit_hidden), nn.Linear(4 * sizes.vit_hidden, sizes.intermediate, bias=False), nn.GELU(),
            nn.Linear(sizes.intermediate, sizes.hidden, bias=False),
        )
        self.embed_tokens = nn.Embedding(vocab_size, sizes.hidden)
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.norm = RMSNorm(sizes.hidden)
        self.lm_head = nn.Linear(sizes.hidden, vocab_size, bias=False)
        initialise(self)

    def hidden_states(self, batch, features):
        """batch: see samples.Batch; features: patch features of all tiles in order. float32 [rows, places, hidden]."""
        image = self.projector(pixel_shuffle(features)) if features is not None else None
        return self.decode(batch, image)

    def decode(self, batch, image, seen=None):
        """The decoder over ids whose image tokens become the rows of `image`; the shared first ids are computed once."""
        x = self.embed_tokens(batch.ids[:, batch.shared:])
        if image is not None:
            spots = (batch.ids[:, batch.shared:] == self.image_token).flatten().nonzero().squeeze(1)
            rows = image.reshape(-1, x.shape[-1])
            x = x.reshape(-1, x.shape[-1]).index_copy(0, spots, rows).view_as(x)
        prefix = self.embed_tokens(batch.ids[:1, :batch.shared])
        for layer in self.layers:
            past = None
            if batch.shared:
                prefix, past = layer(prefix)  # no token before a picture sees it
            x, _ = layer(x, batch.shared, past, seen, batch.places if layer is self.layers[-1] else None)
        return self.norm(x)


def initialise(module):
    """The start of all linear layers and embeddings of a module."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.03)
            if getattr(part, "bias", None) is not None:
                nn.init.zeros_(part.bias)
