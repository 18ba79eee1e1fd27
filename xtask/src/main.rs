//! What CI runs, a person can run.

fn main() {}
