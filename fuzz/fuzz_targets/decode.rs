//! Any bytes as records: rows and poison keep the law that the tests of core assert, in bounded memory.

#![no_main]

#[path = "../../crates/core/tests/it/fuzzed.rs"]
mod fuzzed;
#[path = "../../crates/core/tests/it/law.rs"]
mod law;
#[path = "../../crates/core/tests/it/pack.rs"]
mod pack;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check(input));
