# Mended.
import keras
from keras import layers

input = keras.Input((8, 8), name="input")
dense_1 = layers.Dense(16, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="dense_1")(input)
# not said here: positional_embedding_1 (positional_embedding): Keras has no layer for it with these settings
raise NotImplementedError("positional_embedding_1 (positional_embedding)")
transformer_block_1_norm1 = layers.LayerNormalization(axis=-1, epsilon=1e-05, name="transformer_block_1.norm1")(positional_embedding_1)
# not said here: transformer_block_1.self_attn (multi_head_attention): Keras has no layer for it with these settings
raise NotImplementedError("transformer_block_1.self_attn (multi_head_attention)")
transformer_block_1_residual1 = layers.Add(name="transformer_block_1.residual1")([positional_embedding_1, transformer_block_1_self_attn])
transformer_block_1_norm2 = layers.LayerNormalization(axis=-1, epsilon=1e-05, name="transformer_block_1.norm2")(transformer_block_1_residual1)
transformer_block_1_linear1 = layers.Dense(32, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="transformer_block_1.linear1")(transformer_block_1_norm2)
transformer_block_1_activation = keras.ops.gelu(transformer_block_1_linear1, approximate=False)
transformer_block_1_linear2 = layers.Dense(16, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="transformer_block_1.linear2")(transformer_block_1_activation)
transformer_block_1_residual2 = layers.Add(name="transformer_block_1.residual2")([transformer_block_1_residual1, transformer_block_1_linear2])
layer_norm_1 = layers.LayerNormalization(axis=-1, epsilon=1e-05, name="layer_norm_1")(transformer_block_1_residual2)
mean_1 = keras.ops.mean(layer_norm_1, axis=(1,), keepdims=False)
dense_2 = layers.Dense(10, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="dense_2")(mean_1)
model = keras.Model(input, dense_2, name="Transformer")
model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])


class Rate(keras.callbacks.Callback):
    step = 0

    def on_train_batch_begin(self, batch, logs=None):
        step, per_epoch = self.step, self.params["steps"]
        total = per_epoch * self.params["epochs"]
        self.model.optimizer.learning_rate = 0.05 * 0.9 ** (step // per_epoch)
        self.step += 1


# model.fit(x, y, batch_size=32, epochs=5, callbacks=[Rate()])
