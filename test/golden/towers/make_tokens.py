"""
Token ids of the tokenizers of ckpt/internlm2, ckpt/llama3 and pieces.model, by the libraries that define them.

    PYTHONPATH=<folder with tokenizers> /usr/bin/python3 test/golden/towers/make_tokens.py

`sentencepiece` 0.1.97 is Debian's; `tokenizers` comes from PyPI, its version is in tokens.json. pieces.model is the other
kind of SentencePiece model: characters rewritten by nmt_nfkc, a space put first, spaces joined, no byte pieces.
Run make_towers.py first.
"""

import io
import json
import pathlib
import re

import sentencepiece
import tokenizers

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "", " ", "  ", "a", "The room is red.", "  indented   text with    spaces  ", "trailing space ", "line\nbreak\n\nand two\n\n\n",
    "numbers 0 1 22 333 4444 55555 1,234.56", "it's we're I'LL don't 'S", "你是书生·万象，英文名是InternVL", "图片里有什么？", "été déjà naïve e\u0301",
    "emoji 🙂 and 👩‍👩‍👧 family", "tab\tand\r\nwindows", "zqx zqxy", "##heading # one #include", "[UNUSED_TOKEN_145]", "a[UNUSED_TOKEN_146]b",
    "<s> </s> <unk> <0x41>", "▁already ▁escaped", "ﬁ ligature ２３ full width Ⅷ ㎏ ｶﾞ", "\u00a0no\u2003break\u200bzero", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "a tower's file reads top to bottom like the PyTorch file that it mirrors", "\ufeffbom", "\x00\x01control\x7f", "mixed:日本語とEnglish混在!?;#",
    "const x = { a: [1, 2, 3], b: 'c' }; // code", "https://example.org/a-b_c?d=e&f=%20g",
]


def pieces_model():
    corpus = (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, vocab_size=260, model_type="bpe", character_coverage=0.98,
        normalization_rule_name="nmt_nfkc", num_threads=1, minloglevel=2,
    )
    (HERE / "pieces.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def cases(processor):
    return [{"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))} for text in TEXTS]


def chat(folder, encode, begin):
    """The prompt as one text, cut at the added tokens, each part encoded alone."""
    decoder = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["added_tokens_decoder"]
    added = {entry["content"]: int(i) for i, entry in decoder.items()}
    system = "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
    prompt = (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n<img>{'<IMG_CONTEXT>' * 4}</img>\n"
        "What is in the picture?<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = [added[begin]]
    for part in re.split("(" + "|".join(re.escape(text) for text in added) + ")", prompt):
        ids += [added[part]] if part in added else encode(part)
    return {"prompt": prompt, "ids": ids}


def listed_pieces(processor):
    """The pieces and merges of a SentencePiece model as transformers' converter of Llama lists them."""
    vocab = {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    scores = {processor.id_to_piece(i): processor.get_score(i) for i in range(processor.get_piece_size())}
    merges = []
    for piece, score in scores.items():
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        merges += [(pair, score) for pair in sorted(pairs, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))]
    merges = [pair for pair, _ in sorted(merges, key=lambda merge: merge[1], reverse=True)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace("\u2581", prepend_scheme="never", split=False)
    tokenizer.decoder = tokenizers.decoders.Sequence([
        tokenizers.decoders.Replace("\u2581", " "), tokenizers.decoders.ByteFallback(), tokenizers.decoders.Fuse(),
    ])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(HERE / "pieces.json"), pretty=False)
    return tokenizer


internlm2 = sentencepiece.SentencePieceProcessor(model_file=str(HERE / "ckpt/internlm2/tokenizer.model"))
listed = listed_pieces(internlm2)
llama3 = tokenizers.Tokenizer.from_file(str(HERE / "ckpt/llama3/tokenizer.json"))
result = {
    "sentencepiece": sentencepiece.__version__,
    "tokenizers": tokenizers.__version__,
    "internlm2": cases(internlm2),
    "pieces": cases(pieces_model()),
    "listed": [
        {"text": text, "ids": (ids := listed.encode(text, add_special_tokens=False).ids), "decoded": listed.decode(ids)}
        for text in TEXTS if not re.search(r"<(s|/s|unk)>", text)
    ],
    "listedFirst": listed.encode("a").ids[:1],
    "llama3": [{"text": text, "ids": llama3.encode(text, add_special_tokens=False).ids} for text in TEXTS if not re.search(r"<(s|/s|unk)>", text)],
    "llama3First": llama3.encode("a").ids[:1],
    "chat": chat(HERE / "ckpt/internlm2", internlm2.encode, "<s>"),
}
(HERE / "tokens.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
