# Mended.
import math

import torch
import torch.nn.functional as F
from torch import nn


class Scale(nn.Module):
    def __init__(self, initial, shape=(1,)):
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.full((math.prod(shape),), initial))

    def forward(self, x):
        return x * self.weight.view(self.shape)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.gate = Scale(0.0)
        self.head = nn.Linear(64, 10)
        self.initialize()

    @torch.no_grad()
    def initialize(self):
        """Weights as they are before step 1."""
        nn.init.xavier_uniform_(self.stem.weight)
        nn.init.zeros_(self.stem.bias)
        nn.init.xavier_uniform_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, input):
        stem = self.stem(input)
        act = F.relu(stem)
        conv = self.conv(act)
        gate = self.gate(conv)
        sum_2 = stem + gate
        pool = F.max_pool2d(sum_2, 2)
        flat = torch.flatten(pool, 1, -1)
        head = self.head(flat)
        return head


def train(model, batches, epochs=20):
    """batches: a DataLoader of pairs (x, y), of 32 samples, shuffled.

    x: float32 (N, 1, 8, 8); y: int64 (N,), classes from 0.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    per_epoch, total = len(batches), epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (0.0 + (1 - 0.0) * (1 + math.cos(math.pi * step / total)) / 2))
    model.train()
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x).flatten(0, -2), y.flatten())
            loss.backward()
            optimizer.step()
            schedule.step()
