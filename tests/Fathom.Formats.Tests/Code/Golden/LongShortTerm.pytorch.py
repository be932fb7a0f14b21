# Mended.
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm_1 = nn.LSTM(2, 16, batch_first=True)
        self.dense_1 = nn.Linear(16, 1)
        self.initialize()

    @torch.no_grad()
    def initialize(self):
        """Weights as they are before step 1."""
        nn.init.uniform_(self.lstm_1.weight_ih_l0, -0.5773502691896257, 0.5773502691896257)
        for gate in self.lstm_1.weight_hh_l0.chunk(4):
            gate.copy_(nn.init.orthogonal_(torch.empty_like(gate)))
        nn.init.zeros_(self.lstm_1.bias_ih_l0)
        self.lstm_1.bias_ih_l0[16:32] = 1.0  # forget gate
        nn.init.zeros_(self.lstm_1.bias_hh_l0)
        nn.init.xavier_uniform_(self.dense_1.weight)
        nn.init.zeros_(self.dense_1.bias)

    def forward(self, input):
        lstm_1, state = self.lstm_1(input)
        select_1 = lstm_1.select(1, -1)
        dense_1 = self.dense_1(select_1)
        return dense_1


def train(model, batches, epochs=20):
    """batches: a DataLoader of pairs (x, y), of 40 samples, shuffled.

    x: float32 (N, 12, 2); y: float32 (N, 1).
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x).flatten(), y.flatten())
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.1)
            optimizer.step()
