#!/usr/bin/env python3
"""The training steps of Fathom's benchmark in PyTorch, measured on request.

Started by `Fathom.Bench compare`, which sends lines such as `bare 0.3` or `watched 0.3` and reads one JSON line for each:
{"ms": [wall time of every step], "cpu_ms": process CPU time by step}. The first line that is written says what was set up.
`memory 0.3` makes bare steps and answers with the growth of the resident set since before the network was built, at its
peak: {"peak_mb": …} (Linux only).

Each workload has 8 batches of random data that take turns. Weights are Xavier uniform. A step is: gradients to None,
forward, cross-entropy, backward, optimizer. --graph captured records forward and backward as one TorchScript graph, which
spares PyTorch its interpreter and its tape; the gradients are compared with autograd's before it is used.

watched collects, with stock operators and one transfer at the end: of each watched activation mean, L2, share of zeros and
of saturated elements; of its gradient L2 and maximum; of each parameter the L2 of value, gradient and update and the
gradient's maximum. Tensors of one shape are reduced as one stack.
"""
import argparse
import gc
import json
import math
import sys
import time
import warnings

import torch
import torch.nn.functional as F

BATCHES = 8


def xavier(out, fan_in, *rest):
    w = torch.empty(out, fan_in, *rest)
    torch.nn.init.xavier_uniform_(w)
    return w


class Chain:
    """784 -> [width, activation] x layers -> 10."""

    def __init__(self, layers, width, batch, activation, saturation):
        sizes = [784] + [width] * layers + [10]
        self.batch, self.row, self.f, self.saturation = batch, (784,), activation, saturation
        self.params = [p for i, o in zip(sizes, sizes[1:]) for p in (xavier(o, i), torch.zeros(o))]

    def forward(self, x, p, tap):
        last = len(p) - 2
        for i in range(0, last, 2):
            x = self.f(F.linear(x, p[i], p[i + 1]))
            tap.append(x)
        return F.linear(x, p[last], p[last + 1])


class ResNet20:
    def __init__(self, channels_last):
        self.batch, self.row, self.saturation = 64, (1, 28, 28), None
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.params, self.stats, self.plan = [], [], []
        width = 16
        self.convolution(1, 16, 3, 1)
        for out, stride in ((16, 1), (32, 2), (64, 2)):
            for block in range(3):
                step = stride if block == 0 else 1
                self.convolution(width, out, 3, step)
                self.convolution(out, out, 3, 1)
                if step != 1:
                    self.convolution(width, out, 1, step)
                self.plan.append(step != 1)
                width = out
        self.params += [xavier(10, 64), torch.zeros(10)]

    def convolution(self, i, o, k, stride):
        w = xavier(o, i, k, k).contiguous(memory_format=self.format)
        self.params += [w, torch.ones(o), torch.zeros(o)]
        self.stats.append((torch.zeros(o), torch.ones(o), stride, k // 2))

    def forward(self, x, p, tap):
        at = 0

        def unit(x):
            nonlocal at
            mean, var, stride, padding = self.stats[at]
            w, g, b = p[3 * at:3 * at + 3]
            at += 1
            return F.batch_norm(F.conv2d(x, w, None, stride, padding), mean, var, g, b, True, 0.1, 1e-5)

        x = F.relu(unit(x))
        tap.append(x)
        for projects in self.plan:
            h = F.relu(unit(x))
            tap.append(h)
            h = unit(h)
            x = F.relu(h + (unit(x) if projects else x))
            tap.append(x)
        return F.linear(x.mean((2, 3)), p[-2], p[-1])


class Lstm:
    def __init__(self):
        self.batch, self.row, self.saturation, self.time_first = 64, (28, 28), (-0.98, 0.98), True
        self.params = [xavier(512, 28), xavier(512, 128), torch.zeros(512), torch.zeros(512), xavier(10, 128), torch.zeros(10)]

    def forward(self, x, p, tap):
        wx, wh, bx, bh, w, b = p
        steps = F.linear(x, wx, bx + bh).unbind(0)
        back = wh.t()
        h = c = None
        hs = []
        for gates in steps:
            if h is not None:
                gates = torch.addmm(gates, h, back)
            i, f, g, o = gates.chunk(4, 1)
            new = torch.sigmoid(i) * torch.tanh(g)
            c = new if c is None else torch.addcmul(new, torch.sigmoid(f), c)
            h = torch.sigmoid(o) * torch.tanh(c)
            hs.append(h)
        if tap is not None and WATCH:
            states = torch.stack(hs)
            tap.append(states)
            h = states[-1]
        return F.linear(h, w, b)


class Transformer:
    D, HEADS, FF, LAYERS, T = 128, 4, 512, 4, 64

    def __init__(self):
        self.batch, self.row, self.saturation = 16, (self.T, self.D), None
        d, ff = self.D, self.FF
        self.params = []
        for _ in range(self.LAYERS):
            self.params += [torch.ones(d), torch.zeros(d), xavier(3 * d, d), torch.zeros(3 * d), xavier(d, d), torch.zeros(d),
                            torch.ones(d), torch.zeros(d), xavier(ff, d), torch.zeros(ff), xavier(d, ff), torch.zeros(d)]
        self.params += [torch.ones(d), torch.zeros(d), xavier(10, d), torch.zeros(10)]

    def forward(self, x, p, tap):
        n, t, d = x.shape
        k = d // self.HEADS
        for at in range(0, 12 * self.LAYERS, 12):
            g1, b1, wi, bi, wo, bo, g2, b2, w1, c1, w2, c2 = p[at:at + 12]
            q, key, v = F.linear(F.layer_norm(x, (d,), g1, b1), wi, bi).view(n, t, 3, self.HEADS, k).permute(2, 0, 3, 1, 4).reshape(3, n * self.HEADS, t, k).unbind(0)
            a = torch.bmm(torch.softmax(torch.bmm(q * k ** -0.5, key.transpose(1, 2)), -1), v)
            h = F.linear(a.view(n, self.HEADS, t, k).transpose(1, 2).reshape(n, t, d), wo, bo)
            tap.append(h)
            x = x + h
            h = F.gelu(F.linear(F.layer_norm(x, (d,), g2, b2), w1, c1))
            tap.append(h)
            x = x + F.linear(h, w2, c2)
            tap.append(x)
        x = F.layer_norm(x, (d,), p[-4], p[-3]).mean(1)
        return F.linear(x, p[-2], p[-1])


WATCH = False


def build(name, channels_last):
    torch.manual_seed(1)
    model = {
        "W1": lambda: Chain(30, 100, 64, torch.sigmoid, (0.02, 0.98)),
        "W2": lambda: Chain(100, 100, 64, torch.tanh, (-0.98, 0.98)),
        "W3": lambda: Chain(3, 1024, 128, torch.relu, None),
        "W4": lambda: ResNet20(channels_last),
        "W5": Lstm,
        "W6": Transformer,
        "W7": lambda: Chain(1000, 100, 64, torch.tanh, (-0.98, 0.98)),
        "W8": lambda: Chain(10000, 100, 64, torch.tanh, (-0.98, 0.98)),
    }[name]()
    xs = [torch.rand(model.batch, *model.row) for _ in range(BATCHES)]
    if getattr(model, "time_first", False):
        xs = [x.transpose(0, 1).contiguous() for x in xs]
    if name == "W4":
        xs = [x.contiguous(memory_format=model.format) for x in xs]
    ts = [torch.randint(0, 10, (model.batch,)) for _ in range(BATCHES)]
    return model, xs, ts


class Statistics:
    """Reductions of many tensors in few calls; one vector of numbers comes out."""

    LARGEST_STACKED = 65536

    def __init__(self):
        self.groups = {}

    def rows(self, tensors):
        key = tuple(t.shape for t in tensors)
        groups = self.groups.get(key)
        if groups is None:
            by_shape = {}
            for i, t in enumerate(tensors):
                by_shape.setdefault(tuple(t.shape), []).append(i)
            groups = self.groups[key] = list(by_shape.values())
        for group in groups:
            members = [tensors[i] for i in group]
            if members[0].dim() == 4 and not members[0].is_contiguous():
                members = [t.permute(0, 2, 3, 1) for t in members]  # as they lie in memory
            if len(group) > 3 and members[0].numel() <= self.LARGEST_STACKED:
                yield torch.stack(members).reshape(len(group), -1)
            else:
                for t in members:
                    yield t.reshape(1, -1)

    def norms(self, tensors, out, largest=True):
        for rows in self.rows(tensors):
            out.append(torch.linalg.vector_norm(rows, 2, dim=1))
            if largest:
                out.append(torch.maximum(rows.amax(1), -rows.amin(1)))

    def activations(self, tensors, saturation, out):
        for rows in self.rows(tensors):
            out.append(rows.mean(1))
            out.append(torch.linalg.vector_norm(rows, 2, dim=1))
            flags = torch.empty_like(rows)
            out.append(torch.eq(rows, 0, out=flags).mean(1))
            if saturation is not None:
                low, high = saturation
                torch.sub(rows, (low + high) / 2, out=flags)
                out.append(flags.abs_().gt_((high - low) / 2).mean(1))


class Steps:
    def __init__(self, args):
        self.model, self.xs, self.ts = build(args.workload, args.channels_last)
        self.params = [p.requires_grad_() for p in self.model.params]
        adam = args.workload in ("W3", "W5", "W6")
        self.optimizer = torch.optim.Adam(self.params, lr=1e-3, foreach=True) if adam else torch.optim.SGD(self.params, lr=0.01, momentum=0.9, foreach=True)
        self.adam, self.captured, self.at = adam, args.graph == "captured", 0
        self.statistics, self.graphs, self.last = Statistics(), {}, None

    def loss(self, x, t, params, tap):
        return F.cross_entropy(self.model.forward(x, params, tap), t)

    def capture(self, watch):
        from functorch import make_fx
        count = len(self.params)

        def both(x, t, *params):
            tap = []
            loss = self.loss(x, t, list(params), tap)
            seen = tap if watch else []
            return list(torch.autograd.grad(loss, list(params) + seen)) + [a.detach() for a in seen]

        free = [p.detach().clone().requires_grad_() for p in self.params]
        traced = make_fx(both)(self.xs[0], self.ts[0], *free)
        plain = [p.detach() for p in self.params]
        with torch.no_grad():
            try:
                graph = torch.jit.trace(traced, (self.xs[0], self.ts[0], *plain), check_trace=False)
            except RuntimeError:  # a list of flags among the arguments cannot be traced
                for node in traced.graph.nodes:
                    if isinstance(node.target, torch._ops.OpOverload):
                        node.target = node.target.overloadpacket
                traced.recompile()
                graph = torch.jit.script(traced)
        expected = torch.autograd.grad(self.loss(self.xs[1], self.ts[1], self.params, []), self.params)
        with torch.no_grad():
            got = graph(self.xs[1], self.ts[1], *self.params)[:count]
        for a, b in zip(expected, got):
            if float((a - b).norm()) > 1e-3 * float(a.norm()) + 1e-12:
                raise SystemExit("the captured graph gives other gradients than autograd")
        return graph

    def gradients(self, watch):
        x, t = self.xs[self.at], self.ts[self.at]
        self.at = (self.at + 1) % BATCHES
        count = len(self.params)
        if self.captured:
            if watch not in self.graphs:
                self.graphs[watch] = self.capture(watch)
            with torch.no_grad():
                values = self.graphs[watch](x, t, *self.params)
            taps = (len(values) - count) // 2
            return values[:count], values[count:count + taps], values[count + taps:]
        tap = []
        loss = self.loss(x, t, self.params, tap)
        if not watch:
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            return None, None, None
        values = torch.autograd.grad(loss, self.params + tap)
        return values[:count], values[count:], tap

    def step(self, watch):
        gradients, upstream, tap = self.gradients(watch)
        if gradients is not None:
            for p, g in zip(self.params, gradients):
                p.grad = g
        if not watch:
            self.optimizer.step()
            return
        with torch.no_grad():
            before = torch._foreach_neg(self.params) if self.adam else None
            self.optimizer.step()
            if self.adam:
                torch._foreach_add_(before, self.params)
                updates = before
            else:  # the update is the rate times the momentum
                updates = [self.optimizer.state[p]["momentum_buffer"] for p in self.params]
            out, stats = [], self.statistics
            stats.activations(tap, self.model.saturation, out)
            stats.norms(upstream, out)
            stats.norms([p.grad for p in self.params], out)
            stats.norms([p.detach() for p in self.params], out, largest=False)
            stats.norms(updates, out, largest=False)
            self.last = torch.cat(out)
            if not math.isfinite(float(self.last.sum())):
                self.last = torch.stack([torch.count_nonzero(a - a).float() for a in tap])


class Resident:
    """Growth of the resident set; the kernel keeps its peak, and begins anew when told to."""

    def __init__(self):
        warm = torch.nn.Linear(64, 64)  # libraries and thread pools are no part of a step
        warm(torch.rand(64, 64)).sum().backward()
        gc.collect()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        self.before = self.read("VmRSS")

    def peak_mb(self):
        return (self.read("VmHWM") - self.before) / 1e3

    @staticmethod
    def read(key):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1.024 for line in file if line.startswith(key))


def main():
    global WATCH
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--graph", choices=["eager", "captured"], default="eager")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    resident = Resident() if args.memory else None
    steps = Steps(args)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    gc.disable()
    warm = set()
    for line in sys.stdin:
        what, seconds = line.split()
        if what == "quit":
            break
        if what == "memory":
            for _ in range(6):
                steps.step(False)
            print(json.dumps({"peak_mb": resident.peak_mb()}), flush=True)
            continue
        WATCH = what == "watched"
        if what not in warm:  # the graph's executor looks at a few runs before it settles
            warm.add(what)
            for _ in range(6):
                steps.step(WATCH)
        times = []
        started, cpu = time.perf_counter(), time.process_time()
        while len(times) < 3 or time.perf_counter() - started < float(seconds):
            begin = time.perf_counter()
            steps.step(WATCH)
            times.append((time.perf_counter() - begin) * 1e3)
        cpu = (time.process_time() - cpu) / len(times) * 1e3
        print(json.dumps({"ms": times, "cpu_ms": cpu}), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
