#!/usr/bin/env python3
"""Time of a training step against PyTorch's, for each degree of fine-tuning, on one machine and in one run.

    cargo build --release -p experiments --example training_time
    python tests/compare_training.py [--size 112] [--batch 8] [--divisor 1] [--norm] [--threads 2] [--rounds 5] [--steps 10]

A step is the forward pass, the mean cross-entropy, the gradients of what is trained, and SGD with a
momentum of 0.5, of a VGG-16 for two classes with dropout and random weights. With `--norm`, a batch normalisation follows
each layer but the last, as in `fig4_best`. Both take turns, with some steps each, because a training makes its steps one
after the other: a step after one of another program finds nothing of its own in the caches. The mean step of each turn is
taken, and medians over the rounds are printed. In PyTorch the frozen layers run without gradients in each step, as the public
code does it; here what they make of the images is computed once a training, so it is no part of a step. The column `as here`
gives PyTorch the same advantage. Needs torch.

All steps are on the same images. After some tens of them, the gradients are so small that PyTorch would take up to a hundred
times as long, so it takes numbers below the smallest normal one as 0.
"""

import argparse

import numpy as np
import torch
from torch import nn

import side_by_side

BLOCKS = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]]
DEGREES = {"conv1": 1, "conv2": 2, "conv3": 3, "conv4": 4, "all": 5}


def network(divisor, pooled, norm):
    """The layers of VGG-16 in order, and where each block of convolutions begins."""
    layers, starts, channels = [], [], 3
    for block in BLOCKS:
        starts.append(len(layers))
        for width in block:
            width //= divisor
            layers += [nn.Conv2d(channels, width, 3, padding=1)] + [nn.BatchNorm2d(width)] * norm + [nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    features = 4096 // divisor
    layers += [nn.AdaptiveAvgPool2d(pooled), nn.Flatten()]
    for inputs in (channels * pooled**2, features):
        layers += [nn.Linear(inputs, features)] + [nn.BatchNorm1d(features)] * norm + [nn.ReLU(), nn.Dropout()]
    layers.append(nn.Linear(features, 2))
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
    return layers, starts


class Torch:
    """Steps of one degree; with `cached`, on what the frozen layers made of the images before."""

    def __init__(self, options, blocks, cached):
        torch.manual_seed(0)
        layers, starts = network(options.divisor, options.pooled, options.norm)
        first = starts[5 - blocks]
        self.frozen, self.trained = nn.Sequential(*layers[:first]), nn.Sequential(*layers[first:])
        self.x = torch.rand(options.batch, 3, options.size, options.size)
        self.target = torch.arange(options.batch) % 2
        self.optimizer = torch.optim.SGD(self.trained.parameters(), lr=1e-3, momentum=0.5)
        if cached:
            with torch.no_grad():
                self.x, self.frozen = self.frozen(self.x), nn.Sequential()

    def step(self):
        self.optimizer.zero_grad()
        with torch.no_grad():
            x = self.frozen(self.x)
        nn.functional.cross_entropy(self.trained(x), self.target).backward()
        self.optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--divisor", type=int, default=1)
    parser.add_argument("--pooled", type=int, default=7)
    parser.add_argument("--norm", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps of a turn")
    parser.add_argument("--degrees", default=",".join(DEGREES))
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    numbers = [f"--{name}={getattr(options, name)}" for name in ("size", "batch", "divisor", "pooled")]
    numbers += ["--norm"] * options.norm
    side_by_side.heading("PyTorch", "as here")
    for degree in options.degrees.split(","):
        ours = side_by_side.Program("training_time", numbers, options.threads)
        torchs = [Torch(options, DEGREES[degree], cached) for cached in (False, True)]
        steps = [lambda: ours.seconds(degree), *(lambda torch=torch: side_by_side.seconds(torch.step) for torch in torchs)]
        # Each in turn, once before the clock runs.
        times = [[np.mean([step() for _ in range(options.steps)], axis=0) for step in steps]
                 for _ in range(options.rounds + 1)]
        ours.end()
        side_by_side.row(degree, *zip(*np.median(times[1:], axis=0)))


if __name__ == "__main__":
    main()
