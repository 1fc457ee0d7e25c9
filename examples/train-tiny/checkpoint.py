"""Write a trained model in the exact file format of nvidia/NVLM-D-72B: config.json, bf16 safetensors, tokenizer files."""

import json
import struct

import torch

DUMMY_HEADS = 7  # the published vision model is padded from 25 to 32 heads


def padded_heads(weight, dim, groups):
    """Append zero heads to each of `groups` blocks along the first axis."""
    blocks = weight.chunk(groups, 0)
    zeros = torch.zeros(DUMMY_HEADS * dim, *weight.shape[1:])
    return torch.cat([part for block in blocks for part in (block, zeros)])


def published_tensors(model):
    """State of the model under the published names."""
    s, out = model.sizes, {}
    head_dim = s.vit_hidden // s.vit_heads
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if parts[0] == "vision" and parts[1] == "layers":
            leaf = ".".join(parts[3:])
            if leaf == "attn.qkv.weight":
                value = padded_heads(value, head_dim, 3)
            elif leaf in ("attn.q_norm.weight", "attn.k_norm.weight"):
                value = padded_heads(value, head_dim, 1)
            elif leaf == "attn.proj.weight":
                value = padded_heads(value.t(), head_dim, 1).t()
            out[f"vision_model.encoder.layers.{parts[2]}.{leaf}"] = value
        elif parts[0] == "vision":
            out["vision_model.embeddings." + ".".join(parts[1:])] = value
        elif parts[0] == "projector":
            out["mlp1." + ".".join(parts[1:])] = value
        elif parts[0] == "layers":
            module = parts[2]
            group = "self_attn." if module in ("q_proj", "k_proj", "v_proj", "o_proj") else "" if "norm" in module else "mlp."
            out[f"language_model.model.layers.{parts[1]}.{group}" + ".".join(parts[2:])] = value
        elif parts[0] == "lm_head":
            out["language_model.lm_head.weight"] = value
        else:
            out["language_model.model." + name] = value
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


def config(model, vocab_size, tokenizer):
    s = model.sizes
    return {
        "architectures": ["NVLM_D"], "model_type": "NVLM_D", "torch_dtype": "bfloat16",
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


def save(model, tokenizer, vocab_size, folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", published_tensors(model))
    (folder / "config.json").write_text(json.dumps(config(model, vocab_size, tokenizer), indent=2) + "\n")
    tokenizer.save(folder)
