//! The table file: see `hubshift_fuzz::table_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubshift_fuzz::table_file::run(bytes));
