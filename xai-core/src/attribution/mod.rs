//! Methods that attribute a network's output to its input.
