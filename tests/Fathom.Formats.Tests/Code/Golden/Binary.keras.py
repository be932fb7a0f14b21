# Mended.
import keras
from keras import layers

input = keras.Input((2,), name="input")
dense_1 = layers.Dense(16, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), kernel_regularizer=keras.regularizers.L1(0.0001), bias_regularizer=keras.regularizers.L1(0.0001), name="dense_1")(input)
tanh_1 = layers.Activation("tanh", name="tanh_1")(dense_1)
dense_2 = layers.Dense(16, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), kernel_regularizer=keras.regularizers.L1(0.0001), bias_regularizer=keras.regularizers.L1(0.0001), name="dense_2")(tanh_1)
leaky_relu_1 = layers.LeakyReLU(negative_slope=0.1, name="leaky_relu_1")(dense_2)
dense_3 = layers.Dense(1, kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), kernel_regularizer=keras.regularizers.L1(0.0001), bias_regularizer=keras.regularizers.L1(0.0001), name="dense_3")(leaky_relu_1)
model = keras.Model(input, dense_3, name="Binary")
# PyTorch adds epsilon at another place than Keras: where gradients are tiny, steps are others.
model.compile(optimizer=keras.optimizers.Adagrad(0.05, initial_accumulator_value=0.0, epsilon=1e-10), loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
# model.fit(x, y, batch_size=50, epochs=30)
