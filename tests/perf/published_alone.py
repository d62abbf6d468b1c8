"""The published demo in one process and without a framework: plain torch, a loop, the same work.

Three models are trained in turn from the federated one, each on its own digits, and averaged; the federated
model and the workers' own are evaluated after the rounds of the recipe. Prints the seconds from the first
round's start, the accuracy, as one JSON line. Imports nothing of zfed, but for torchvision's sake: the four
files are read with numpy.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

ROUNDS, BATCHES, BATCH_SIZE = 40, 10, 32
EVALUATED = (1, 11, 21, 31, 40)
OWN_MODELS_EVALUATED = (1, 11, 21, 31, 40)
DIGITS = ((0, 3), (4, 6), (7, 9))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, images):
        x = functional.relu(functional.max_pool2d(self.conv1(images), 2))
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))
        return self.fc2(functional.relu(self.fc1(x.flatten(1))))


def load(root, images, labels):
    pixels = np.fromfile(root / images, np.uint8)[16:].reshape(-1, 1, 28, 28)
    inputs = (torch.from_numpy(pixels).float() / 255 - 0.1307) / 0.3081
    return inputs, torch.from_numpy(np.fromfile(root / labels, np.uint8)[8:].astype(np.int64))


def train(model, start, data, rate, generator):
    model.load_state_dict(start)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    inputs, targets = data
    order = torch.randperm(len(targets), generator=generator)
    model.train()
    for step in range(BATCHES):
        picked = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs[picked]), targets[picked])
        loss.backward()
        optimizer.step()
        loss.item()
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def accuracy(model, state, data):
    model.load_state_dict(state)
    model.eval()
    inputs, targets = data
    right = 0
    with torch.inference_mode():
        for start in range(0, len(targets), 1000):
            outputs = model(inputs[start : start + 1000])
            functional.cross_entropy(outputs, targets[start : start + 1000]).item()
            right += int((outputs.argmax(1) == targets[start : start + 1000]).sum())
    return right / len(targets)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path, help="folder with the four raw files of MNIST")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    inputs, targets = load(args.root, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test = load(args.root, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    parts = [(targets >= low) & (targets <= high) for low, high in DIGITS]
    workers = [(inputs[part], targets[part]) for part in parts]
    model = Network().to(memory_format=torch.channels_last)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.Generator().manual_seed(args.seed)
    last = 0.0
    began = time.perf_counter()
    for number in range(1, ROUNDS + 1):
        rate = max(0.1 * 0.98 ** (number - 1), 0.001)
        own = [train(model, state, data, rate, generator) for data in workers]
        state = {name: sum(each[name] for each in own) / len(own) for name in state}
        if number in EVALUATED:
            last = accuracy(model, state, test)
        if number in OWN_MODELS_EVALUATED:
            for each in own:
                accuracy(model, each, test)
    print(json.dumps({"seconds": time.perf_counter() - began, "accuracy": last}))


if __name__ == "__main__":
    main()
