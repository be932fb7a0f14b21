# Mended.
import keras
from keras import layers

input = keras.Input((64,), name="input")
dense_1 = layers.Dense(32, use_bias=False, kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal"), kernel_regularizer=keras.regularizers.L2(0.001), name="dense_1")(input)
batch_norm_1 = layers.BatchNormalization(axis=-1, momentum=0.9, epsilon=1e-05, name="batch_norm_1")(dense_1)
relu_1 = layers.Activation("relu", name="relu_1")(batch_norm_1)
dense_2 = layers.Dense(10, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), kernel_regularizer=keras.regularizers.L2(0.001), name="dense_2")(relu_1)
model = keras.Model(input, dense_2, name="Feedforward")
# PyTorch adds epsilon at another place than Keras: where gradients are tiny, steps are others.
model.compile(optimizer=keras.optimizers.AdamW(0.003, epsilon=1e-08, weight_decay=0.05, global_clipnorm=1.0), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])


class Rate(keras.callbacks.Callback):
    step = 0

    def on_train_batch_begin(self, batch, logs=None):
        step, per_epoch = self.step, self.params["steps"]
        total = per_epoch * self.params["epochs"]
        self.model.optimizer.learning_rate = 0.003 * (0.1 + (1.0 - 0.1) * min(step / 50, 1.0))
        self.step += 1


# model.fit(x, y, batch_size=32, epochs=4, callbacks=[Rate()])
