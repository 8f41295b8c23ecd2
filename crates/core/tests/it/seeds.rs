//! The fuzzer's seeds, without the fuzzer.

use std::path::Path;

#[test]
fn every_seed_of_the_fuzzer_keeps_the_law() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let mut n_seeds = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            crate::fuzzed::check(&std::fs::read(path).unwrap());
            n_seeds += 1;
        }
    }
    assert!(n_seeds >= 20, "{n_seeds} seeds");
}
