//! Routes, key sets, and the device that acts on them: see `hubshift_fuzz::signed_documents`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubshift_fuzz::signed_documents::run(bytes));
