"""
Train tiny NVLM models on drawn pictures and write their checkpoints.

    python3 train.py --minutes 120 --out ../models/nvlm-tiny --work /tmp/nvlm-tiny
    python3 train.py --variants d d-untagged x h --vision-from ../models/nvlm-tiny --six-tiles 0.05 \\
      --minutes 110 --out /tmp/four --work /tmp/four-state

Two data-parallel processes with one thread each (threads stall on matrices this small). The learning rate follows
the share of the minutes that is used up, so a busy machine trains on fewer samples instead of longer.
`--work` keeps a checkpoint every few minutes; the same command continues from it. Several variants learn in lockstep
from the same pictures, in the same order, above one frozen vision encoder, and are written to folders of their names.
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
import start
from nvlm_d import NVLMD, Sizes
from nvlm_xh import NVLMH, NVLMX
from tokenizer import Tokenizer, learn_merges
from variants import VARIANTS

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


def build(variant=VARIANTS["d"], seed=0):
    """A fresh model, its tokenizer and the size of its vocabulary; what two variants have in common starts equal."""
    torch.manual_seed(seed)
    tokenizer = Tokenizer(learn_merges(questions.vocabulary_texts(), 300))
    vocab_size = -(-len(tokenizer) // VOCAB_MULTIPLE) * VOCAB_MULTIPLE
    parts = (Sizes(), vocab_size, tokenizer.added["<|vision_pad|>"])
    if variant.fusion == "cross-attention":
        model = NVLMX(*parts)
    elif variant.fusion == "hybrid":
        model = NVLMH(*parts, torch.tensor([tokenizer.encode(f"<tile_{i}>") for i in range(1, 7)]))
    else:
        model = NVLMD(*parts)
    return model, tokenizer, vocab_size


class Student:
    """A model that is trained, its optimiser, and the teacher of its vision layers where these are trained as well."""

    def __init__(self, name, vision_from, start_from=None):
        self.variant = VARIANTS[name]
        self.model, self.tokenizer, self.vocab_size = build(self.variant)
        self.teacher = None if vision_from else Teacher(self.model.sizes.vit_hidden)
        if vision_from:
            checkpoint.load(self.model, vision_from, "vision.")
            self.model.vision.requires_grad_(False)
        if start_from:
            trained, _, _ = build()
            checkpoint.load(trained, start_from)
            start.from_trained(self.model, trained, self.tokenizer)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.parameters += self.teacher.parameters() if self.teacher else []
        matrices, vectors = ([p for p in self.parameters if (p.dim() > 1) == matrix] for matrix in (True, False))
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}], lr=0, betas=(0.9, 0.98)
        )
        self.window, self.seconds = [], 0.0

    def parts(self):
        return {"model": self.model, "optimiser": self.optimiser, **({"teacher": self.teacher} if self.teacher else {})}

    def learn(self, chunks, teach, rate):
        """One step on chunks of (samples, features, patch labels), processor time taken."""
        started = time.process_time()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        sizes = self.model.sizes
        batches = [(samples.encode_batch(chunk, self.variant, self.tokenizer, sizes), *rest) for chunk, *rest in chunks]
        self.window.append(accumulate(self.model, self.teacher, batches, teach))
        average_gradients(self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.seconds += time.process_time() - started

    def save(self, folder):
        checkpoint.save(self.model, self.variant, self.tokenizer, self.vocab_size, folder)


def accumulate(model, teacher, batches, teach):
    """Add the gradients of one step's batches; returns the loss of an answer token and the share that is right."""
    learnt = sum(int((batch.wanted != samples.IGNORED).sum()) for batch, _, _ in batches)
    total, right = 0.0, 0
    for batch, features, patches in batches:
        learn = batch.wanted != samples.IGNORED
        wanted = batch.wanted[learn]
        logits = model.lm_head(model.hidden_states(batch, features)[learn])
        answer = F.cross_entropy(logits, wanted, reduction="sum") / learnt
        loss = answer
        if teacher and features is not None:
            loss = loss + teach * teacher(features, patches) / len(batches)
        loss.backward()
        total += float(answer)
        right += int((logits.argmax(-1) == wanted).sum())
    return total, right / learnt


def average_gradients(parameters):
    flat = torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in parameters])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    at = 0
    for p in parameters:
        p.grad = flat[at:at + p.numel()].view_as(p).clone() if p.grad is None else p.grad.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()


def draw_chunks(rng, student, count, shares):
    """Samples of one step as (samples, features, patch labels), like ones together; the features have gradients if vision is trained."""
    vision, sizes = student.model.vision, student.model.sizes
    chunks = []
    for chunk in samples.make_samples(rng, student.tokenizer, sizes, count, shares):
        pixels, patches = (samples.stacked(parts) for parts in list(zip(*chunk))[1:])
        chunks.append((chunk, vision(pixels) if pixels is not None else None, patches))
    return chunks


def run(rank, world, options):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{options.work}/rendezvous-{options.session}", rank=rank, world_size=world)
    students = {name: Student(name, options.vision_from, options.start_from) for name in options.variants}
    first = students[options.variants[0]]
    state_file, used, seen, step = options.work / "state.pt", 0.0, 0, 0
    if state_file.exists():
        state = torch.load(state_file)
        for name, student in students.items():
            for part, value in student.parts().items():
                value.load_state_dict(state[name][part])
            student.seconds = state[name]["seconds"] if rank == 0 else 0.0
        used, seen, step = state["used"], state["seen"], state["step"]
    rng = np.random.default_rng(1 + seen * world + rank)
    started, saved, budget = time.time() - used, time.time(), options.minutes * 60
    while True:
        clock = torch.tensor([time.time() - started])
        dist.broadcast(clock, 0)
        progress = float(clock) / budget
        if progress >= 1:
            break
        rate = options.rate * min(1, (step + 1) / (40 if options.start_from else 200)) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        shares = (0.22, options.six_tiles) if options.start_from or progress > 0.12 else (0.02, 0)
        chunks = draw_chunks(rng, first, options.batch, shares)
        for student in students.values():
            student.learn(chunks, 0.5 * (1 - progress), rate)
        step, seen = step + 1, seen + options.batch * world
        if rank == 0 and step % 50 == 0:
            report(students, float(clock), seen, rate)
        if rank == 0 and time.time() - saved > 240:
            saved = time.time()
            save(state_file, students, options, {"used": float(clock), "seen": seen, "step": step})
    if rank == 0:
        save(state_file, students, options, {"used": float(clock), "seen": seen, "step": step})
        report(students, float(clock), seen, rate)
        print(f"done: {seen} samples in {step} steps, {time.process_time() / 60:.1f} minutes of this processor", flush=True)


def report(students, clock, seen, rate):
    print(f"{clock / 60:.1f} min  {seen} samples  lr {rate:.5f}", end="")
    for name, student in students.items():
        if student.window:
            loss, right = np.mean(student.window, 0)
            print(f"  {name}: loss {loss:.3f}, tokens right {right:.3f}, {student.seconds / 60:.1f} min", end="")
            student.window.clear()
    print(flush=True)


def save(path, students, options, at):
    """The state to go on from, and each student's checkpoint."""
    state = {n: {"seconds": s.seconds, **{part: value.state_dict() for part, value in s.parts().items()}} for n, s in students.items()}
    temporary = path.with_suffix(".tmp")
    torch.save({**state, **at}, temporary)
    temporary.replace(path)
    for name, student in students.items():
        student.save(options.out / name if len(students) > 1 else options.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["d"], help="several need --vision-from")
    parser.add_argument("--vision-from", type=pathlib.Path, help="a checkpoint whose vision encoder is taken and kept as it is")
    parser.add_argument("--start-from", type=pathlib.Path, help="an NVLM-D checkpoint whose language model all variants start from")
    parser.add_argument("--batch", type=int, default=64, help="samples a step and process")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--six-tiles", type=float, default=0, help="share of the pictures that have six tiles and a thumbnail")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if len(options.variants) > 1 and not options.vision_from:
        parser.error("several variants share one vision encoder: give --vision-from")
    options.work.mkdir(parents=True, exist_ok=True)
    options.session = int(time.time())
    mp.start_processes(run, (options.processes, options), nprocs=options.processes, start_method="fork")


if __name__ == "__main__":
    main()
