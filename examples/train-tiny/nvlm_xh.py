"""
NVLM-X and NVLM-H in PyTorch, small: NVLM-D's decoder with gated cross-attention to the tiles in every layer.

The paper does not say how the layers look inside; what is chosen here is written to config.json as `cross_attention`.
"""

import math

import torch
from torch import nn

from nvlm_d import NVLMD, RMSNorm, initialise, pixel_shuffle

NOTHING, ALL = -1, -2  # what a token sees of its picture in cross-attention; k >= 0: only tile k
FIRST_GATE = 0.5  # Flamingo starts at 0 to keep a trained decoder; here the decoder starts anew as well


class CrossAttention(nn.Module):
    """Attention to keys and values from outside, without positions and biases, times tanh(gate)."""

    def __init__(self, s):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = s.heads, s.kv_heads, s.hidden // s.heads
        self.q_proj = nn.Linear(s.hidden, s.hidden, bias=False)
        self.k_proj, self.v_proj = (nn.Linear(s.hidden, s.kv_heads * self.head_dim, bias=False) for _ in range(2))
        self.o_proj = nn.Linear(s.hidden, s.hidden, bias=False)
        self.gate = nn.Parameter(torch.full((1,), FIRST_GATE))

    @torch.no_grad()
    def start_from(self, layer, size):
        """
        Take the weights of a decoder layer's own attention, where it has learnt to look at pictures. Keys and values came
        from its norm there, which is put into the weights for rows of root mean square `size`.
        """
        norm = layer.input_layernorm.weight / size
        for ours, own in ((self.q_proj, layer.q_proj), (self.o_proj, layer.o_proj)):
            ours.weight.copy_(own.weight)
        for ours, own in ((self.k_proj, layer.k_proj), (self.v_proj, layer.v_proj)):
            ours.weight.copy_(own.weight * norm)

    def forward(self, x, outside, mask):
        """x [rows, length, hidden], outside [rows, size, hidden], mask bool [rows, length, size]; a token that sees nothing gets 0."""
        rows, length, _ = x.shape
        group = self.heads // self.kv_heads
        q = self.q_proj(x).view(rows, length, self.heads, self.head_dim).transpose(1, 2)
        q = q.reshape(rows, self.kv_heads, group * length, self.head_dim)
        k, v = (p(outside).view(rows, -1, self.kv_heads, self.head_dim).transpose(1, 2) for p in (self.k_proj, self.v_proj))
        mask = mask.repeat(1, group, 1)[:, None]
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        weights = scores.masked_fill(~mask, -1e9).softmax(-1) * mask
        out = (weights @ v).view(rows, self.heads, length, self.head_dim)
        return self.gate.tanh() * self.o_proj(out.transpose(1, 2).reshape(rows, length, -1))


class CrossAttending(NVLMD):
    """What NVLM-X and NVLM-H share: all parts of NVLM-D (from the same seed equal to its own) and the layers of cross-attention."""

    def __init__(self, sizes, vocab_size, image_token):
        super().__init__(sizes, vocab_size, image_token)
        for layer in self.layers:
            layer.cross_attn, layer.cross_attn_norm = CrossAttention(sizes), RMSNorm(sizes.hidden)
            initialise(layer.cross_attn)

    def seen_by(self, batch, tiles, counts):
        """
        Keys and values and mask of each row's own tiles; tiles [all tiles, size, hidden], counts: tiles of each row.

        None if no row has a tile.
        """
        most = max(counts)
        if most == 0:
            return None
        firsts = torch.tensor([0, *counts]).cumsum(0)[:-1]
        number = torch.arange(most)
        exists = number < torch.tensor(counts)[:, None]
        index = torch.where(exists, firsts[:, None] + number, torch.zeros((), dtype=torch.int64))
        outside = tiles[index]
        views = batch.views[:, batch.shared:, None]
        mask = ((views == ALL) | (views == number)) & exists[:, None]
        return outside.flatten(1, 2), mask.repeat_interleave(tiles.shape[1], 2)


class NVLMX(CrossAttending):
    """All tiles reach the decoder through cross-attention alone; a projector of one layer."""

    def __init__(self, sizes, vocab_size, image_token):
        super().__init__(sizes, vocab_size, image_token)
        width = 4 * sizes.vit_hidden
        self.projector = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sizes.hidden, bias=False))
        initialise(self.projector)

    def hidden_states(self, batch, features):
        if features is None:
            return self.decode(batch, None)
        return self.decode(batch, None, self.seen_by(batch, self.projector(pixel_shuffle(features)), batch.counts))


class NVLMH(CrossAttending):
    """The thumbnail in the sequence, the other tiles through cross-attention, each after the embeddings of its tag."""

    def __init__(self, sizes, vocab_size, image_token, tag_ids):
        """tag_ids: int64 [most tiles, tokens of a tag]."""
        super().__init__(sizes, vocab_size, image_token)
        self.tag_ids = tag_ids

    def hidden_states(self, batch, features):
        if features is None:
            return self.decode(batch, None)
        tiles = self.projector(pixel_shuffle(features))
        last = torch.tensor([count for count in batch.counts if count]).cumsum(0) - 1
        regular = torch.ones(len(tiles), dtype=torch.bool)
        regular[last] = False
        counts = [max(count - 1, 0) for count in batch.counts]
        tags = torch.cat([self.tag_ids[:count] for count in counts])
        outside = torch.cat([self.embed_tokens(tags), tiles[regular]], 1)
        return self.decode(batch, tiles[last], self.seen_by(batch, outside, counts))
