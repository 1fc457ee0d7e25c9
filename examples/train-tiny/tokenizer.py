"""A tiny byte-level BPE tokenizer in the file format of Qwen2 (vocab.json, merges.txt, tokenizer_config.json)."""

import collections
import json
import re

# The 22 added tokens of NVLM-D's tokenizer, in the order of their ids; the flag says `special`.
ADDED_TOKENS = [
    ("<|endoftext|>", True), ("<|im_start|>", True), ("<|im_end|>", True),
    ("<|object_ref_start|>", True), ("<|object_ref_end|>", True), ("<|box_start|>", True), ("<|box_end|>", True),
    ("<|quad_start|>", True), ("<|quad_end|>", True), ("<|vision_start|>", True), ("<|vision_end|>", True),
    ("<|vision_pad|>", True), ("<|image_pad|>", True), ("<|video_pad|>", True),
    ("<tool_call>", False), ("</tool_call>", False), ("<|fim_prefix|>", False), ("<|fim_middle|>", False),
    ("<|fim_suffix|>", False), ("<|fim_pad|>", False), ("<|repo_name|>", False), ("<|file_sep|>", False),
]

# Qwen2's split with ASCII classes: the recipe's texts are ASCII, so both split them alike.
SPLIT = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_symbols():
    """GPT-2's table from byte to printable character, in the order of the vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(printable))
    return table


SYMBOLS = byte_symbols()


def to_symbols(text):
    return "".join(SYMBOLS[b] for b in text.encode("utf-8"))


def learn_merges(texts, num_merges):
    """Plain BPE training on weighted texts: {text: count}."""
    words = collections.Counter()
    for text, count in texts.items():
        for word in SPLIT.findall(text):
            words[tuple(to_symbols(word))] += count
    merges = []
    while len(merges) < num_merges:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {merge_word(word, best): count for word, count in words.items()}
    return merges


def merge_word(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


class Tokenizer:
    """Encode and decode ASCII texts exactly as the published files say."""

    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.ranks = {m: i for i, m in enumerate(self.merges)}
        base = [SYMBOLS[b] for b in sorted(SYMBOLS, key=lambda b: (ord(SYMBOLS[b]) >= 256, ord(SYMBOLS[b])))]
        self.vocab = {s: i for i, s in enumerate(base + [a + b for a, b in self.merges])}
        if len(self.vocab) != 256 + len(self.merges):
            raise ValueError("two merges give the same token")
        self.added = {text: len(self.vocab) + i for i, (text, _) in enumerate(ADDED_TOKENS)}
        self.tokens = {i: s for s, i in self.vocab.items()}
        self.bytes = {s: b for b, s in SYMBOLS.items()}
        self.split_added = re.compile("(" + "|".join(re.escape(t) for t in sorted(self.added, key=len, reverse=True)) + ")")
        self.cache = {}

    def __len__(self):
        return len(self.vocab) + len(self.added)

    def encode(self, text):
        ids = []
        for part in self.split_added.split(text):
            if part in self.added:
                ids.append(self.added[part])
            else:
                for word in SPLIT.findall(part):
                    ids.extend(self.encode_word(word))
        return ids

    def encode_word(self, word):
        if word not in self.cache:
            symbols = tuple(to_symbols(word))
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
                if best not in self.ranks:
                    break
                symbols = merge_word(symbols, best)
            self.cache[word] = [self.vocab[s] for s in symbols]
        return self.cache[word]

    def decode(self, ids):
        """Text of the ids; added tokens are left out."""
        symbols = "".join(self.tokens.get(i, "") for i in ids)
        return bytes(self.bytes[s] for s in symbols).decode("utf-8", "replace")

    def save(self, folder):
        (folder / "vocab.json").write_text(json.dumps(self.vocab, ensure_ascii=False))
        lines = ["#version: 0.2", *(f"{a} {b}" for a, b in self.merges)]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n")
        decoder = {
            str(self.added[text]): {
                "content": text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": special,
            }
            for text, special in ADDED_TOKENS
        }
        config = {
            "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": decoder,
            "additional_special_tokens": [text for text, special in ADDED_TOKENS if special and text != "<|endoftext|>"],
            "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
            "model_max_length": 2048, "pad_token": "<|endoftext|>", "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
