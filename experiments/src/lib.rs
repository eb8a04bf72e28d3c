//! Experiments live in `examples/`, one file a figure or study: `cargo run --release --example fig4_best`.
