"""
Train the tiny NVLM-D on drawn pictures and write its checkpoint.

    python3 train.py --minutes 120 --out ../models/nvlm-tiny --work /tmp/nvlm-tiny

Two data-parallel processes with one thread each (threads stall on matrices this small). The learning rate follows
the share of the minutes that is used up, so a busy machine trains on fewer samples instead of longer.
`--work` keeps a checkpoint every few minutes; the same command continues from it.
"""

import argparse
import math
import os
import pathlib
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn import functional as F

import checkpoint
import pictures
import questions
import samples
from nvlm_d import NVLMD, Sizes
from tokenizer import Tokenizer, learn_merges

VOCAB_MULTIPLE = 64
HELD_OUT_SEED = 4_000_000_000  # seeds from here on are never trained on, nor looked at while training


class Teacher(torch.nn.Module):
    """
    Heads that are trained along and thrown away: what glyph, and which place in reading order, each half patch shows.

    They give the vision layers a signal at every patch, where the answer alone gives a few tokens a picture.
    """

    def __init__(self, width):
        super().__init__()
        self.glyph = torch.nn.Linear(width, 2 * (len(pictures.GLYPHS) + 1))
        self.order = torch.nn.Linear(width, 2 * pictures.MAX_ORDER)

    def forward(self, features, labels):
        tiles, patches, _ = features.shape
        loss = 0
        for head, index in ((self.glyph, 0), (self.order, 1)):
            logits = head(features).view(tiles * patches * 2, -1)
            target = labels[..., index].reshape(-1)
            weight = torch.where(target > 0, 1.0, 0.25)
            loss = loss + (F.cross_entropy(logits, target, reduction="none") * weight).sum() / weight.sum()
        return loss


def build(seed=0):
    torch.manual_seed(seed)
    tokenizer = Tokenizer(learn_merges(questions.vocabulary_texts(), 300))
    vocab_size = -(-len(tokenizer) // VOCAB_MULTIPLE) * VOCAB_MULTIPLE
    model = NVLMD(Sizes(), vocab_size, tokenizer.added["<|vision_pad|>"])
    return model, Teacher(model.sizes.vit_hidden), tokenizer, vocab_size


def accumulate(model, teacher, batches, teach):
    """Add the gradients of one step's batches; returns the loss of an answer token and the share that is right."""
    learnt = sum(int((labels[:, 1:] != samples.IGNORED).sum()) for _, labels, _, _, _ in batches)
    total, right = 0.0, 0
    for ids, labels, pixels, patches, shared in batches:
        features = model.vision(pixels) if pixels is not None else None
        hidden = model.hidden_states(ids, features, shared)[:, :-1]
        wanted = labels[:, shared + 1:]
        learn = wanted != samples.IGNORED
        logits = model.lm_head(hidden[learn])
        answer = F.cross_entropy(logits, wanted[learn], reduction="sum") / learnt
        loss = answer
        if features is not None:
            loss = loss + teach * teacher(features, patches) / len(batches)
        loss.backward()
        total += float(answer)
        right += int((logits.argmax(-1) == wanted[learn]).sum())
    return total, right / learnt


def average_gradients(parameters, world):
    flat = torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in parameters])
    dist.all_reduce(flat)
    flat /= world
    at = 0
    for p in parameters:
        p.grad = flat[at:at + p.numel()].view_as(p).clone() if p.grad is None else p.grad.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()


def run(rank, world, options):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{options.work}/rendezvous-{options.session}", rank=rank, world_size=world)
    model, teacher, tokenizer, vocab_size = build()
    parameters = [*model.parameters(), *teacher.parameters()]
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}], lr=0, betas=(0.9, 0.98)
    )
    state_file, used, seen, step = options.work / "state.pt", 0.0, 0, 0
    if state_file.exists():
        state = torch.load(state_file)
        model.load_state_dict(state["model"]), teacher.load_state_dict(state["teacher"]), optimiser.load_state_dict(state["optimiser"])
        used, seen, step = state["used"], state["seen"], state["step"]
    rng = np.random.default_rng(1 + seen * world + rank)
    started, saved, window = time.time() - used, time.time(), []
    budget = options.minutes * 60
    while True:
        clock = torch.tensor([time.time() - started])
        dist.broadcast(clock, 0)
        progress = float(clock) / budget
        if progress >= 1:
            break
        rate = options.rate * min(1, (step + 1) / 200) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        batches = samples.make_batches(rng, tokenizer, model.sizes, options.batch, 0.22 if progress > 0.12 else 0.02)
        window.append(accumulate(model, teacher, batches, 0.5 * (1 - progress)))
        average_gradients(parameters, world)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step, seen = step + 1, seen + options.batch * world
        if rank == 0 and step % 100 == 0:
            mean = np.mean(window, 0)
            print(f"{float(clock) / 60:.1f} min  {seen} samples  lr {rate:.5f}  loss {mean[0]:.3f}  tokens right {mean[1]:.3f}", flush=True)
            window.clear()
        if rank == 0 and time.time() - saved > 240:
            saved = time.time()
            save_state(state_file, model, teacher, optimiser, float(clock), seen, step)
            checkpoint.save(model, tokenizer, vocab_size, options.out)
    if rank == 0:
        save_state(state_file, model, teacher, optimiser, float(clock), seen, step)
        checkpoint.save(model, tokenizer, vocab_size, options.out)
        print(f"done: {seen} samples in {step} steps", flush=True)


def save_state(path, model, teacher, optimiser, used, seen, step):
    temporary = path.with_suffix(".tmp")
    torch.save({
        "model": model.state_dict(), "teacher": teacher.state_dict(), "optimiser": optimiser.state_dict(),
        "used": used, "seen": seen, "step": step,
    }, temporary)
    temporary.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--batch", type=int, default=64, help="samples a step and process")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.session = int(time.time())
    mp.spawn(run, (options.processes, options), nprocs=options.processes)


if __name__ == "__main__":
    main()
