"""Makes `keras_start.safetensors`: the weights from which the Keras networks of XAI-TRIS begin at 8 x 8.

    pip install tensorflow-cpu numpy safetensors
    python keras_start.py

The public code draws them by Keras 2.2.4, which takes truncated normal numbers from TensorFlow. It gives the seed 4000002 to the graph and to
the initialiser of every layer. So they can be drawn again. All five runs of a network begin from the same weights, and so do layers of one
shape. Biases begin at 0.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

SEED = 4000002
# In Keras, the weights of a dense layer are [inputs, outputs], and those of a convolution [height, width, inputs, outputs].
LAYERS = {
    "linear": [(64, 2)],
    "mlp": [(64, 32), (32, 16), (16, 8), (8, 2)],
    "cnn": [(2, 2, 1, 4), (2, 2, 4, 4), (2, 2, 4, 4), (2, 2, 4, 4), (4, 2)],
}


def he_normal(shape):
    inputs = np.prod(shape[:-1])
    # Keras divides by the deviation of a standard normal number between -2 and 2.
    deviation = np.sqrt(2 / inputs) / 0.87962566103423978
    # A graph and a session of its own for each layer: the first run of an operation starts its stream of random numbers.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(SEED)
        return session.run(tf.compat.v1.truncated_normal(shape, 0.0, deviation, seed=SEED))


if __name__ == "__main__":
    arrays = {f"{model}.{at}": he_normal(shape) for model, shapes in LAYERS.items() for at, shape in enumerate(shapes)}
    save_file(arrays, Path(__file__).parent / "keras_start.safetensors")
