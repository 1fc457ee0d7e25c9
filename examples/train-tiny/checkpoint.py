"""
Write a trained model in the exact file format of nvidia/NVLM-D-72B: config.json, bf16 safetensors, tokenizer files.

NVLM-X and NVLM-H have no published files; theirs are the same with the layers of cross-attention added.
"""

import json
import struct

import torch

from variants import Variant

DUMMY_HEADS = 7  # the published vision model is padded from 25 to 32 heads


def padded_heads(weight, dim, groups):
    """Append zero heads to each of `groups` blocks along the first axis."""
    blocks = weight.chunk(groups, 0)
    zeros = torch.zeros(DUMMY_HEADS * dim, *weight.shape[1:])
    return torch.cat([part for block in blocks for part in (block, zeros)])


def published_name(name):
    """Name of a parameter in the published files."""
    parts = name.split(".")
    rest = ".".join(parts[1:])
    if parts[0] == "vision":
        return f"vision_model.encoder.{rest}" if parts[1] == "layers" else f"vision_model.embeddings.{rest}"
    if parts[0] == "projector":
        return f"mlp1.{rest}"
    if parts[0] == "lm_head":
        return f"language_model.{name}"
    if parts[0] == "layers":
        module = parts[2]
        if module.startswith("cross_attn"):
            return f"language_model.model.{name}"
        group = "self_attn." if module in ("q_proj", "k_proj", "v_proj", "o_proj") else "" if "norm" in module else "mlp."
        return f"language_model.model.layers.{parts[1]}.{group}" + ".".join(parts[2:])
    return f"language_model.model.{name}"


def published_names(model):
    return {published_name(name): value for name, value in model.state_dict(keep_vars=True).items()}


def published_tensors(model):
    """The weights under the published names, dummy heads added, in bf16."""
    s, out = model.sizes, {}
    head_dim = s.vit_hidden // s.vit_heads
    for name, value in published_names(model).items():
        if name.endswith("attn.qkv.weight"):
            value = padded_heads(value, head_dim, 3)
        elif name.endswith(("attn.q_norm.weight", "attn.k_norm.weight")):
            value = padded_heads(value, head_dim, 1)
        elif name.endswith("attn.proj.weight"):
            value = padded_heads(value.t(), head_dim, 1).t()
        out[name] = value
    return {name: value.detach().to(torch.bfloat16).contiguous() for name, value in sorted(out.items())}


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, value in tensors.items():
        size = value.numel() * 2
        header[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.view(torch.int16).numpy().tobytes())


def read_safetensors(path):
    """bf16 tensors of a file as float32."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        codes = torch.frombuffer(bytearray(data[8 + length + start:8 + length + end]), dtype=torch.bfloat16)
        tensors[name] = codes.view(entry["shape"]).float()
    return tensors


def load(model, folder, part=""):
    """Put the stored weights (of the parameters whose names begin with `part`) into a model of the same sizes, and check them."""
    stored = read_safetensors(folder / "model.safetensors")
    s = model.sizes
    head_dim = s.vit_hidden // s.vit_heads
    loaded = {published_name(name): value for name, value in model.state_dict(keep_vars=True).items() if name.startswith(part)}
    for name, value in loaded.items():
        found = stored[name]
        if name.endswith("attn.qkv.weight"):
            found = torch.cat([block[:s.vit_hidden] for block in found.chunk(3, 0)])
        elif name.endswith(("attn.q_norm.weight", "attn.k_norm.weight")):
            found = found[:s.vit_hidden]
        elif name.endswith("attn.proj.weight"):
            found = found[:, :s.vit_heads * head_dim]
        with torch.no_grad():
            value.copy_(found)
    for name, value in published_tensors(model).items():
        if name in loaded and not torch.equal(value.float(), stored[name]):
            raise ValueError(f"{name} differs after loading")


NAMES = {"self-attention": ("NVLM_D", "NVLM_D"), "cross-attention": ("NVLM_X", "NVLM_X_Model"), "hybrid": ("NVLM_H", "NVLM_H_Model")}


def fusion_config(model, variant):
    """How the picture reaches the decoder, where that is not as in NVLM-D."""
    fields = {} if variant.tile_tags else {"tile_tags": False}
    if variant.fusion != "self-attention":
        fields["cross_attention"] = {
            "layers": list(range(model.sizes.layers)), "placement": "after-self-attention", "gate": "tanh", "gated_ffn": False,
            "query_norm": True, "key_value_norm": False, "bias": False, "rope": False,
        }
    return fields


def config(model, variant, vocab_size, tokenizer):
    s = model.sizes
    model_type, architecture = NAMES[variant.fusion]
    return {
        "architectures": [architecture], "model_type": model_type, "torch_dtype": "bfloat16", **fusion_config(model, variant),
        "downsample_ratio": 0.5, "dynamic_image_size": True, "force_image_size": s.tile, "max_dynamic_patch": 6,
        "min_dynamic_patch": 1, "ps_version": "v2", "select_layer": -1, "template": "chatml", "use_thumbnail": True,
        "llm_config": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": s.hidden,
            "intermediate_size": s.intermediate, "num_hidden_layers": s.layers, "num_attention_heads": s.heads,
            "num_key_value_heads": s.kv_heads, "vocab_size": vocab_size, "rms_norm_eps": 1e-6, "rope_theta": s.rope_theta,
            "hidden_act": "silu", "attention_bias": True, "max_position_embeddings": s.max_positions,
            "tie_word_embeddings": False, "bos_token_id": tokenizer.added["<|endoftext|>"],
            "eos_token_id": tokenizer.added["<|im_end|>"], "torch_dtype": "bfloat16",
        },
        "vision_config": {
            "architectures": ["InternVisionModel"], "model_type": "intern_vit_6b", "hidden_size": s.vit_hidden,
            "num_attention_heads": s.vit_heads, "intermediate_size": s.vit_intermediate, "num_hidden_layers": s.vit_layers,
            "image_size": s.tile, "patch_size": s.patch, "num_channels": 3, "norm_type": "rms_norm", "layer_norm_eps": 1e-6,
            "hidden_act": "gelu", "qk_normalization": True, "qkv_bias": False, "torch_dtype": "bfloat16",
        },
    }


def stored_variant(folder):
    """Which member of the family a checkpoint is."""
    stored = json.loads((folder / "config.json").read_text())
    fusion = next(fusion for fusion, (model_type, _) in NAMES.items() if model_type == stored["model_type"])
    return Variant(fusion, stored.get("tile_tags", True))


def save(model, variant, tokenizer, vocab_size, folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", published_tensors(model))
    (folder / "config.json").write_text(json.dumps(config(model, variant, vocab_size, tokenizer), indent=2) + "\n")
    tokenizer.save(folder)
