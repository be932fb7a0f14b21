# Mended.
import math

import keras
from keras import layers

input = keras.Input((1, 8, 8), name="input")
conv2d_1 = layers.Conv2D(8, 3, padding="same", data_format="channels_first", kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="conv2d_1")(input)
group_norm_1 = layers.GroupNormalization(2, axis=1, epsilon=1e-05, name="group_norm_1")(conv2d_1)
gelu_1 = keras.ops.gelu(group_norm_1, approximate=False)
max_pool2d_1 = layers.MaxPooling2D(2, data_format="channels_first", name="max_pool2d_1")(gelu_1)
conv2d_2 = layers.Conv2D(16, 3, data_format="channels_first", kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="conv2d_2")(max_pool2d_1)
elu_1 = layers.Activation("elu", name="elu_1")(conv2d_2)
flatten_1 = layers.Flatten(name="flatten_1")(elu_1)
dense_1 = layers.Dense(10, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="dense_1")(flatten_1)
model = keras.Model(input, dense_1, name="Convolution")
# not said here: optimizer sgd: Keras has none with these settings
raise NotImplementedError("optimizer sgd")
# not said here: loss cross_entropy: Keras has none with these settings
raise NotImplementedError("loss cross_entropy")
model.compile(optimizer=None, loss=None, metrics=["accuracy"])


class Rate(keras.callbacks.Callback):
    step = 0

    def on_train_batch_begin(self, batch, logs=None):
        step, per_epoch = self.step, self.params["steps"]
        total = per_epoch * self.params["epochs"]
        self.model.optimizer.learning_rate = 0.05 * (0.0 + (1 - 0.0) * (1 + math.cos(math.pi * max(0, step - math.floor(0.6 * total)) / (total - math.floor(0.6 * total)))) / 2)
        self.step += 1


# model.fit(x, y, batch_size=32, epochs=4, callbacks=[Rate()])
