# Mended.
import keras
from keras import layers

input = keras.Input((12, 2), name="input")
lstm_1, lstm_1__1, lstm_1__2 = layers.LSTM(16, return_sequences=True, return_state=True, kernel_initializer=keras.initializers.RandomUniform(-0.5773502691896257, 0.5773502691896257), recurrent_initializer=lambda shape, dtype=None: keras.ops.concatenate([keras.initializers.Orthogonal(1.0)((shape[0], shape[1] // 4), dtype) for _ in range(4)], axis=-1), bias_initializer="zeros", unit_forget_bias=True, name="lstm_1")(input)
select_1 = keras.ops.take(lstm_1, 11, axis=1)
dense_1 = layers.Dense(1, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), name="dense_1")(select_1)
model = keras.Model(input, dense_1, name="LongShortTerm")
# PyTorch adds epsilon at another place than Keras: where gradients are tiny, steps are others.
model.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-08, clipvalue=0.1), loss=keras.losses.MeanSquaredError())
# model.fit(x, y, batch_size=40, epochs=20)
