//! Runs every experiment with `snapshot = smoke` at that scale. Each experiment's file is a module here (see `build.rs`)
//! and contains its own test. Its table is in `experiments/examples/snapshots`.

include!(concat!(env!("OUT_DIR"), "/experiments.rs"));

/// A table again on one thread, without AVX-512, and with the C library's functions for older processors: in a process
/// of its own each, as all of that is chosen once a process.
#[test]
fn the_same_table_on_other_processors() {
    let older = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4";
    for (threads, bits, tunables) in [("1", "256", ""), ("2", "512", older)] {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let output = again
            .arg("first_experiment_at_smoke_scale")
            .env("RAYON_NUM_THREADS", threads)
            .env("XAI_VECTOR_BITS", bits)
            .env("GLIBC_TUNABLES", tunables)
            .env("INSTA_UPDATE", "no")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let how = format!("{threads} threads, {bits} bits, {tunables:?}");
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{how}: {text}"
        );
    }
}
