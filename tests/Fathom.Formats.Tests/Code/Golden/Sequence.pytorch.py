# Mended.
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding_1 = nn.Embedding(20, 8)
        self.lstm_1 = nn.LSTM(8, 6, batch_first=True)
        self.dense_1 = nn.Linear(6, 2)
        self.initialize()

    @torch.no_grad()
    def initialize(self):
        """Weights as they are before step 1."""
        nn.init.uniform_(self.lstm_1.weight_ih_l0, -0.6546536707079771, 0.6546536707079771)
        for gate in self.lstm_1.weight_hh_l0.chunk(4):
            gate.copy_(nn.init.orthogonal_(torch.empty_like(gate)))
        nn.init.zeros_(self.lstm_1.bias_ih_l0)
        self.lstm_1.bias_ih_l0[6:12] = 1.0  # forget gate
        nn.init.zeros_(self.lstm_1.bias_hh_l0)
        nn.init.xavier_uniform_(self.dense_1.weight)
        nn.init.zeros_(self.dense_1.bias)

    def forward(self, input):
        embedding_1 = self.embedding_1(input)
        lstm_1, state = self.lstm_1(embedding_1)
        select_1 = lstm_1.select(1, -1)
        dense_1 = self.dense_1(select_1)
        return dense_1


def train(model, batches, epochs=20):
    """batches: a DataLoader of pairs (x, y), of 32 samples, shuffled.

    x: int64 (N, 12); y: int64 (N,), classes from 0.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.01)
    model.train()
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x).flatten(0, -2), y.flatten())
            loss.backward()
            # not said here: clip autoclip: PyTorch has none
            optimizer.step()
