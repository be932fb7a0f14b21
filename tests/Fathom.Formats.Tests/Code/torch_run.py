"""Runs the PyTorch code of each folder given: once from Fathom's own initial weights over Fathom's own batches, and once from
its own. Prints how far the first ends from Fathom's weights, as a share of the way that those went, and the metric of the second.
"""
import json
import os
import sys

import torch

torch.set_num_threads(1)


def numbers(folder, name, kind):
    with open(os.path.join(folder, name), "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=kind)


class Batches:
    """Fathom's batches, epoch by epoch."""

    def __init__(self, x, y, rows, per_epoch):
        self.x, self.y, self.rows, self.per_epoch, self.step = x, y, rows, per_epoch, 0

    def __len__(self):
        return self.per_epoch

    def __iter__(self):
        for rows in self.rows[self.step:self.step + self.per_epoch]:
            yield self.x[rows], self.y[rows]
        self.step += self.per_epoch


def metric(model, x, y, loss):
    model.eval()
    with torch.no_grad():
        out = model(x)
    if loss == "classes":
        return (out.argmax(-1) == y).float().mean().item()
    if loss == "binary":
        return ((out.flatten() > 0) == (y.flatten() > 0.5)).float().mean().item()
    return (1 - (out.flatten() - y.flatten()).square().mean() / y.var(unbiased=False)).item()


def run(folder):
    with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
        case = json.load(file)
    space = {"__name__": "code"}
    with open(os.path.join(folder, "model.py"), encoding="utf-8") as file:
        exec(compile(file.read(), "model.py", "exec"), space)
    kind = torch.int64 if case["loss"] == "classes" else torch.float32
    x, y = numbers(folder, "x", torch.float32).reshape(case["x"]), numbers(folder, "y", kind).reshape(case["y"])
    vx, vy = numbers(folder, "vx", torch.float32).reshape([-1, *case["x"][1:]]), numbers(folder, "vy", kind).reshape([-1, *case["y"][1:]])
    order = numbers(folder, "rows", torch.int64)
    rows = torch.split(order, case["sizes"])
    before, after = numbers(folder, "before", torch.float32), numbers(folder, "after", torch.float32)

    model = space["Model"]()
    own = {name.replace(".", "_"): p for name, p in model.named_parameters()}
    if set(own) != {part["name"] for part in case["parameters"]}:
        raise ValueError(f"the parameters are {sorted(own)}, not {sorted(part['name'] for part in case['parameters'])}")
    with torch.no_grad():
        for part in case["parameters"]:
            own[part["name"]].copy_(before[part["at"]:part["at"] + part["length"]].reshape(own[part["name"]].shape))
    # The plan's own epochs, for the sake of its schedule; when the rows are used up there are no more batches.
    space["train"](model, Batches(x, y, rows, case["per_epoch"]))
    apart, moved = 0.0, 0.0
    with torch.no_grad():
        for part in case["parameters"]:
            here = slice(part["at"], part["at"] + part["length"])
            apart += (own[part["name"]].flatten() - after[here]).double().square().sum().item()
            moved += (after[here] - before[here]).double().square().sum().item()

    torch.manual_seed(1)
    fresh = space["Model"]()
    shuffled = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=case["batch"], shuffle=True)
    space["train"](fresh, shuffled)
    return {"apart": (apart / moved) ** 0.5, "metric": metric(fresh, vx, vy, case["loss"])}


for path in sys.argv[1:]:
    print(json.dumps(run(path)))
