"""Start a variant from a trained NVLM-D, so that what it still has to learn is how pictures reach the decoder."""

import numpy as np
import torch

import samples
from nvlm_d import pixel_shuffle
from nvlm_xh import CrossAttending

PICTURES = 400  # for the fit of the one-layer projector


@torch.no_grad()
def from_trained(model, trained, tokenizer):
    """
    Copy what both models have. Where they differ: the projector of one layer becomes the linear map nearest to the trained
    one of two, and cross-attention takes over the attention of its layer.
    """
    old, new = trained.state_dict(), model.state_dict(keep_vars=True)
    one_layer = "projector.3.weight" not in new
    for name, value in new.items():
        if name in old and not (one_layer and name == "projector.1.weight"):
            value.copy_(old[name])
    if not isinstance(model, CrossAttending):
        return
    chunks = samples.make_samples(np.random.default_rng(0), tokenizer, model.sizes, PICTURES, (0.22, 0))
    merged = [pixel_shuffle(model.vision(p)) for p in (samples.stacked([s[1] for s in chunk]) for chunk in chunks) if p is not None]
    rows = torch.cat(merged).flatten(0, 1)
    projected = trained.projector(rows)
    if one_layer:
        model.projector[1].weight.copy_(torch.linalg.lstsq(model.projector[0](rows), projected).solution.t())
    size = projected.pow(2).mean(-1).sqrt().mean()
    for layer in model.layers:
        layer.cross_attn_norm.weight.copy_(layer.input_layernorm.weight)
        layer.cross_attn.start_from(layer, size)
