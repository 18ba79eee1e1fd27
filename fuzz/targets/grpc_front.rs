//! The public front as gRPC finds it: see `hubshift_fuzz::grpc_front`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubshift_fuzz::grpc_front::run(bytes));
