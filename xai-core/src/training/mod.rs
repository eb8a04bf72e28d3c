//! Fitting a network.
