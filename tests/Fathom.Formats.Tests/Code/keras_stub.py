"""A stand-in for Keras 3 that knows names, not mathematics.

Every class and function has the arguments that the Keras 3 documentation gives it, with no **kwargs to swallow a wrong one, and
refuses values that Keras would refuse. It is installed as the module `keras`; the code under test is run against it.
"""
import inspect
import sys
import types

UNSET = object()


class Tensor:
    """A symbolic tensor: arithmetic and slices give tensors."""

    def _again(self, *_):
        return Tensor()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __getitem__ = __neg__ = _again


def tensor(value, what):
    if not isinstance(value, Tensor):
        raise TypeError(f"{what}: {value!r} is no tensor")


def one_of(what, value, *allowed):
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}; it must be one of {allowed}")


ACTIVATIONS = ("linear relu relu6 leaky_relu elu selu silu swish gelu sigmoid hard_sigmoid tanh hard_tanh softmax log_softmax softplus softsign exponential mish glu celu").split()
BASE = dict(activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None)
MERGES = "Add Subtract Multiply Average Maximum Minimum Concatenate".split()
RECURRENT = "LSTM GRU SimpleRNN".split()
names = set()


def parameters(signature):
    """"units, activation=None" as a signature; a bare name is required."""
    return eval(f"lambda {signature}: None", {"UNSET": UNSET})


def bind(kind, signature, args, kwargs, common=()):
    given = {key: kwargs.pop(key) for key in list(kwargs) if key in common}
    try:
        bound = inspect.signature(parameters(signature)).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{kind}: {error}") from None
    bound.apply_defaults()
    return {**bound.arguments, **given}


def check(kind, settings):
    for key, value in settings.items():
        if key.endswith("_initializer") and isinstance(value, str):
            one_of(f"{kind}: {key}", value.lower(), "zeros", "ones", "glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "identity", "uniform")
        elif key.endswith("_initializer") and not callable(value):
            raise TypeError(f"{kind}: {key} is {value!r}")
        if key.endswith("_regularizer") and not (value is None or isinstance(value, Regularizer)):
            raise TypeError(f"{kind}: {key} is {value!r}")
        if key in ("activation", "recurrent_activation") and value is not None:
            one_of(f"{kind}: {key}", value, *ACTIVATIONS)
        if key == "data_format" and value is not None:
            one_of(f"{kind}: {key}", value, "channels_last", "channels_first")
        if key == "padding":
            one_of(f"{kind}: {key}", value, "valid", "same", *(["causal"] if kind == "Conv1D" else []))


class Layer:
    signature = ""

    def __init__(self, *args, **kwargs):
        self.kind = type(self).__name__
        self.settings = bind(self.kind, self.signature, args, kwargs, BASE)
        check(self.kind, self.settings)
        name = self.settings.get("name")
        if name is not None:
            if not isinstance(name, str) or "/" in name or name in names:
                raise ValueError(f"{self.kind}: the name {name!r} is taken, or holds a /")
            names.add(name)

    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, autocast=True, regularizer=None, constraint=None, aggregation="none", overwrite_with_gradient=False, name=None):
        if not callable(initializer):
            raise TypeError(f"{self.kind}: the initializer is {initializer!r}")
        return Tensor()

    def call(self, x):
        return Tensor()

    def __call__(self, x, **kwargs):
        if self.kind in MERGES:
            if not isinstance(x, list) or len(x) < 2 or (self.kind == "Subtract" and len(x) != 2):
                raise ValueError(f"{self.kind}: it is called on {x!r}")
            for item in x:
                tensor(item, self.kind)
            return Tensor()
        tensor(x, self.kind)
        if self.kind in RECURRENT and self.settings["return_state"]:
            return [Tensor()] * (3 if self.kind == "LSTM" else 2)
        result = self.call(x)
        tensor(result, self.kind)
        return result


BOUNDS = "kernel_regularizer=None, bias_regularizer=None, kernel_constraint=None, bias_constraint=None"
WEIGHTS = "kernel_initializer='glorot_uniform', bias_initializer='zeros', "
CONVOLUTION = "padding='valid', data_format=None, dilation_rate=1, groups=1, activation=None, use_bias=True, " + WEIGHTS + BOUNDS
NORM = "center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', {}beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None"
CELL = ("use_bias=True, kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros', {}kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, "
        "kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False")
POOL = "pool_size, strides=None, padding='valid', data_format=None"
LAYERS = {
    "Dense": "units, activation=None, use_bias=True, " + WEIGHTS + BOUNDS + ", lora_rank=None",
    "Activation": "activation",
    "LeakyReLU": "negative_slope=0.3",
    "ELU": "alpha=1.0",
    "PReLU": "alpha_initializer='zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None",
    "Softmax": "axis=-1",
    "Conv1D": "filters, kernel_size, strides=1, " + CONVOLUTION,
    "Conv2D": "filters, kernel_size, strides=(1, 1), " + CONVOLUTION,
    "DepthwiseConv2D": "kernel_size, strides=(1, 1), padding='valid', depth_multiplier=1, data_format=None, dilation_rate=(1, 1), activation=None, use_bias=True, depthwise_initializer='glorot_uniform', "
                       "bias_initializer='zeros', depthwise_regularizer=None, bias_regularizer=None, depthwise_constraint=None, bias_constraint=None",
    "MaxPooling1D": POOL, "MaxPooling2D": POOL, "AveragePooling1D": POOL, "AveragePooling2D": POOL,
    "BatchNormalization": "axis=-1, momentum=0.99, epsilon=0.001, " + NORM.format("moving_mean_initializer='zeros', moving_variance_initializer='ones', ") + ", synchronized=False",
    "LayerNormalization": "axis=-1, epsilon=0.001, " + NORM.format(""),
    "GroupNormalization": "groups=32, axis=-1, epsilon=0.001, " + NORM.format(""),
    "RMSNormalization": "axis=-1, epsilon=1e-06",
    "LSTM": "units, activation='tanh', recurrent_activation='sigmoid', " + CELL.format("unit_forget_bias=True, "),
    "GRU": "units, activation='tanh', recurrent_activation='sigmoid', " + CELL.format("") + ", reset_after=True",
    "SimpleRNN": "units, activation='tanh', " + CELL.format(""),
    "Embedding": "input_dim, output_dim, embeddings_initializer='uniform', embeddings_regularizer=None, embeddings_constraint=None, mask_zero=False, weights=None, lora_rank=None",
    "Dropout": "rate, noise_shape=None, seed=None", "AlphaDropout": "rate, noise_shape=None, seed=None", "GaussianDropout": "rate, seed=None", "SpatialDropout1D": "rate, seed=None", "SpatialDropout2D": "rate, data_format=None, seed=None", "GaussianNoise": "stddev, seed=None",
    "Add": "", "Subtract": "", "Multiply": "", "Average": "", "Maximum": "", "Minimum": "", "Concatenate": "axis=-1",
    "Flatten": "data_format=None", "Reshape": "target_shape", "Rescaling": "scale, offset=0.0",
}


class Regularizer:
    pass


class Initializer:
    def __call__(self, shape, dtype=None):
        return Tensor()


class Loss:
    pass


class Optimizer:
    pass


COMMON = dict(weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None)


def family(base, members, common=()):
    """Classes that only take their settings."""
    def make(kind, signature):
        def start(self, *args, **kwargs):
            self.settings = bind(kind, signature, args, kwargs, common)
            check(kind, {key: value for key, value in self.settings.items() if not key.endswith("_initializer")})
            if kind == "VarianceScaling":
                one_of("VarianceScaling: mode", self.settings["mode"], "fan_in", "fan_out", "fan_avg")
                one_of("VarianceScaling: distribution", self.settings["distribution"], "uniform", "truncated_normal", "untruncated_normal")
            if base is Optimizer:
                if sum(self.settings.get(key) is not None for key in ("clipnorm", "clipvalue", "global_clipnorm")) > 1:
                    raise ValueError(f"{kind}: only one way to clip can be given")
                self.learning_rate = self.settings["learning_rate"]
        return type(kind, (base,), {"__init__": start})
    return {kind: make(kind, signature) for kind, signature in members.items()}


SEED = ", seed=None"
INITIALIZERS = family(Initializer, {
    "Constant": "value=0.0", "RandomNormal": "mean=0.0, stddev=0.05" + SEED, "RandomUniform": "minval=-0.05, maxval=0.05" + SEED, "TruncatedNormal": "mean=0.0, stddev=0.05" + SEED,
    "Orthogonal": "gain=1.0" + SEED, "Identity": "gain=1.0", "VarianceScaling": "scale=1.0, mode='fan_in', distribution='truncated_normal'" + SEED,
})
REGULARIZERS = family(Regularizer, {"L1": "l1=0.01", "L2": "l2=0.01", "L1L2": "l1=0.0, l2=0.0"})
BETAS = "learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07"
OPTIMIZERS = family(Optimizer, {
    "SGD": "learning_rate=0.01, momentum=0.0, nesterov=False", "Adam": BETAS + ", amsgrad=False", "AdamW": BETAS + ", amsgrad=False", "Adamax": BETAS, "Nadam": BETAS,
    "RMSprop": "learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-07, centered=False", "Adagrad": "learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-07",
    "Adadelta": "learning_rate=0.001, rho=0.95, epsilon=1e-07", "Lion": "learning_rate=0.001, beta_1=0.9, beta_2=0.99",
}, COMMON)
REDUCED = "reduction='sum_over_batch_size', name=None, dtype=None"
LOSSES = family(Loss, {
    "SparseCategoricalCrossentropy": "from_logits=False, ignore_class=None, axis=-1, " + REDUCED, "CategoricalCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, " + REDUCED,
    "BinaryCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, " + REDUCED, "MeanSquaredError": REDUCED, "MeanAbsoluteError": REDUCED, "Huber": "delta=1.0, " + REDUCED, "Hinge": REDUCED,
})
OPS = {
    "gelu": "x, approximate=True", "sigmoid": "x", "softplus": "x", "clip": "x, x_min, x_max", "erf": "x", "log_softmax": "x, axis=-1", "glu": "x, axis=-1", "max": "x, axis=None, keepdims=False, initial=None",
    "mean": "x, axis=None, keepdims=False", "reshape": "x, newshape", "transpose": "x, axes=None", "take": "x, indices, axis=None", "pad": "x, pad_width, mode='constant', constant_values=None", "flip": "x, axis=None",
    "concatenate": "xs, axis=0", "square": "x", "sqrt": "x", "abs": "x", "where": "condition, x1=None, x2=None", "maximum": "x1, x2", "minimum": "x1, x2", "matmul": "x1, x2",
}


def operation(kind, signature):
    def run(*args, **kwargs):
        given = bind(kind, signature, args, kwargs)
        first = next(iter(given.values()))
        for item in first if isinstance(first, list) else [first]:
            tensor(item, f"ops.{kind}")
        return Tensor()
    return run


class Model:
    def __init__(self, inputs, outputs, name=None):
        for item in [*(inputs if isinstance(inputs, list) else [inputs]), *(outputs if isinstance(outputs, list) else [outputs])]:
            tensor(item, "Model")
        self.optimizer = None

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, run_eagerly=False, steps_per_execution=1, jit_compile="auto", auto_scale_loss=True):
        if not isinstance(optimizer, Optimizer) or not isinstance(loss, Loss):
            raise TypeError(f"compile: {optimizer!r} and {loss!r}")
        self.optimizer = optimizer


class Callback:
    params, model = None, None


def Input(shape=None, batch_size=None, dtype=None, sparse=None, batch_shape=None, name=None, tensor=None, optional=False):
    if not isinstance(shape, tuple) or not all(isinstance(extent, int) for extent in shape):
        raise TypeError(f"Input: the shape is {shape!r}")
    return Tensor()


def module(name, members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


def install():
    layers = {kind: type(kind, (Layer,), {"signature": signature}) for kind, signature in LAYERS.items()}
    parts = {
        "layers": {"Layer": Layer, "Input": Input, **layers}, "initializers": {"Initializer": Initializer, **INITIALIZERS}, "regularizers": REGULARIZERS, "optimizers": OPTIMIZERS,
        "losses": LOSSES, "ops": {kind: operation(kind, signature) for kind, signature in OPS.items()}, "callbacks": {"Callback": Callback},
    }
    module("keras", {"Input": Input, "Model": Model, **{name: module(f"keras.{name}", members) for name, members in parts.items()}})


def run(path):
    """Runs one file of code; then the callback that sets the rate, if it has one, for some steps."""
    names.clear()
    with open(path, encoding="utf-8") as file:
        space = {"__name__": "code"}
        exec(compile(file.read(), path, "exec"), space)
    if "Rate" in space:
        rate = space["Rate"]()
        rate.model, rate.params = space["model"], {"steps": 10, "epochs": 4}
        for step in range(40):
            rate.on_train_batch_begin(step % 10)
            value = rate.model.optimizer.learning_rate
            if not isinstance(value, float) or not 0 <= value < 10:
                raise ValueError(f"the learning rate of step {step} is {value!r}")
    if not isinstance(space["model"].optimizer, Optimizer):
        raise ValueError("the model is not compiled")


install()
for path in sys.argv[1:]:
    try:
        run(path)
    except Exception as error:
        print(f"{path}: {type(error).__name__}: {error}")
