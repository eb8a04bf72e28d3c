//! Layers, networks made of them, and their weights.
