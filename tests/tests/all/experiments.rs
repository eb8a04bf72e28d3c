//! Runs every experiment with `snapshot = smoke` at that scale. Each experiment's file is a module here (see `build.rs`)
//! and contains its own test. Its table is in `experiments/examples/snapshots`.

include!(concat!(env!("OUT_DIR"), "/experiments.rs"));

/// A whole sweep, but a short one: `versions.rs` compares the stages of a long one to the last bit.
#[test]
fn the_same_table_on_other_processors() {
    tests::passes_on_other_processors(&["own_benchmark_at_smoke_scale"]);
}
