//! The public front as HTTP finds it: see `hubshift_fuzz::http_front`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubshift_fuzz::http_front::run(bytes));
