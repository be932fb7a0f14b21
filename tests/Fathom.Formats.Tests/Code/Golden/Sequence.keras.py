# Mended.
import keras
from keras import layers

input = keras.Input((12,), dtype="int32", name="input")
embedding_1 = layers.Embedding(20, 8, embeddings_initializer=keras.initializers.RandomNormal(0.0, 1.0), name="embedding_1")(input)
lstm_1, lstm_1__1, lstm_1__2 = layers.LSTM(6, return_sequences=True, return_state=True, kernel_initializer=keras.initializers.RandomUniform(-0.6546536707079771, 0.6546536707079771), recurrent_initializer=lambda shape, dtype=None: keras.ops.concatenate([keras.initializers.Orthogonal(1.0)((shape[0], shape[1] // 4), dtype) for _ in range(4)], axis=-1), bias_initializer="zeros", unit_forget_bias=True, name="lstm_1")(embedding_1)
select_1 = keras.ops.take(lstm_1, 11, axis=1)
dense_1 = layers.Dense(2, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="dense_1")(select_1)
model = keras.Model(input, dense_1, name="sequence")
# not said here: clip autoclip: Keras has none
# PyTorch adds epsilon at another place than Keras: where gradients are tiny, steps are others.
model.compile(optimizer=keras.optimizers.AdamW(0.001, epsilon=1e-08, weight_decay=0.01), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
# model.fit(x, y, batch_size=32, epochs=20)
