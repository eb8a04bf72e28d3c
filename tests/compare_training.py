#!/usr/bin/env python3
"""Time of a training step against PyTorch's, for each degree of fine-tuning, on one machine and in one run.

    cargo build --release -p experiments --example training_time
    python tests/compare_training.py [--size 112] [--batch 8] [--divisor 1] [--threads 2] [--rounds 5]

A step is the forward pass, the mean cross-entropy, the gradients of what is trained, and SGD with a
momentum of 0.5, of a VGG-16 for two classes with dropout and random weights. Both take turns, step by step, and medians
are printed. In PyTorch the frozen layers run without gradients in each step, as the public code does it; here what they
make of the images is computed once a training, so it is no part of a step. The column `as here` gives PyTorch
the same advantage. Needs torch.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]]
DEGREES = {"conv1": 1, "conv2": 2, "conv3": 3, "conv4": 4, "all": 5}


def network(divisor, pooled):
    """The layers of VGG-16 in order, and where each block of convolutions begins."""
    layers, starts, channels = [], [], 3
    for block in BLOCKS:
        starts.append(len(layers))
        for width in block:
            layers += [nn.Conv2d(channels, width // divisor, 3, padding=1), nn.ReLU()]
            channels = width // divisor
        layers.append(nn.MaxPool2d(2))
    features = 4096 // divisor
    layers += [nn.AdaptiveAvgPool2d(pooled), nn.Flatten(), nn.Linear(channels * pooled**2, features), nn.ReLU(), nn.Dropout(),
               nn.Linear(features, features), nn.ReLU(), nn.Dropout(), nn.Linear(features, 2)]
    for layer in layers:
        if hasattr(layer, "weight"):
            nn.init.kaiming_normal_(layer.weight)
    return layers, starts


class Torch:
    """Steps of one degree; with `cached`, on what the frozen layers made of the images before."""

    def __init__(self, options, blocks, cached):
        torch.manual_seed(0)
        layers, starts = network(options.divisor, options.pooled)
        first = starts[5 - blocks]
        self.frozen, self.trained = nn.Sequential(*layers[:first]), nn.Sequential(*layers[first:])
        self.x = torch.rand(options.batch, 3, options.size, options.size)
        self.target = torch.arange(options.batch) % 2
        self.optimizer = torch.optim.SGD(self.trained.parameters(), lr=1e-3, momentum=0.5)
        if cached:
            with torch.no_grad():
                self.x, self.frozen = self.frozen(self.x), nn.Sequential()

    def seconds(self):
        start, processor = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad()
        with torch.no_grad():
            x = self.frozen(self.x)
        nn.functional.cross_entropy(self.trained(x), self.target).backward()
        self.optimizer.step()
        return time.perf_counter() - start, time.process_time() - processor


class Ours:
    """The example `training_time`, which makes one step a line."""

    def __init__(self, options, degree):
        numbers = [f"--{name}={getattr(options, name)}" for name in ("size", "batch", "divisor", "pooled")]
        self.degree = degree
        self.process = subprocess.Popen([ROOT / "target/release/examples/training_time", *numbers], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={"RAYON_NUM_THREADS": str(options.threads)})

    def seconds(self):
        before = self.processor()
        self.process.stdin.write(self.degree + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["finite"]
        return answer["seconds"], self.processor() - before

    def processor(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--divisor", type=int, default=1)
    parser.add_argument("--pooled", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--degrees", default=",".join(DEGREES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'':8}{'seconds':>26}{'':16}{'processor seconds':>26}")
    print(f"{'':8}" + 2 * f"{'ours':>9}{'PyTorch':>9}{'ratio':>8}{'as here':>9}{'ratio':>8}")
    for degree in options.degrees.split(","):
        programs = [Ours(options, degree), *(Torch(options, DEGREES[degree], cached) for cached in (False, True))]
        for program in programs:
            program.seconds()  # once before the clock runs
        times = [[program.seconds() for program in programs] for _ in range(options.rounds)]
        programs[0].end()
        ours, whole, cached = np.median(times, axis=0)
        print(f"{degree:8}" + "".join(f"{a:9.3f}{b:9.3f}{a / b:8.2f}{c:9.3f}{a / c:8.2f}"
                                      for a, b, c in zip(ours, whole, cached)), flush=True)


if __name__ == "__main__":
    main()
