# Mended.
import keras
from keras import layers


class Learnt(layers.Layer):
    """x times a learnt number, or x plus one."""

    def __init__(self, initial, adds=False, shape=(1,), **kwargs):
        super().__init__(**kwargs)
        self.adds = adds
        self.number = self.add_weight(shape=shape, initializer=keras.initializers.Constant(initial))

    def call(self, x):
        return x + self.number if self.adds else x * self.number


input = keras.Input((1, 8, 8), name="input")
stem = layers.Conv2D(8, 3, padding="same", data_format="channels_first", kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="stem")(input)
act = layers.Activation("relu", name="act")(stem)
conv = layers.Conv2D(8, 3, padding="same", data_format="channels_first", kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="conv")(act)
gate = Learnt(0.5, name="gate")(conv)
sum_2 = layers.Add(name="sum")([stem, gate])
pool = layers.AveragePooling2D(2, data_format="channels_first", name="pool")(sum_2)
flat = layers.Flatten(name="flat")(pool)
slope = layers.PReLU(shared_axes=[1], alpha_initializer=keras.initializers.Constant(0.25), name="slope")(flat)
head = layers.Dense(10, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="head")(slope)
model = keras.Model(input, head, name="Shortcuts")
# not said here: optimizer rmsprop: Keras has none with these settings
raise NotImplementedError("optimizer rmsprop")
model.compile(optimizer=None, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])


class Rate(keras.callbacks.Callback):
    step = 0

    def on_train_batch_begin(self, batch, logs=None):
        step, per_epoch = self.step, self.params["steps"]
        total = per_epoch * self.params["epochs"]
        self.model.optimizer.learning_rate = 0.003 * 0.5 ** (step // per_epoch // 1)
        self.step += 1


# model.fit(x, y, batch_size=32, epochs=4, callbacks=[Rate()])
