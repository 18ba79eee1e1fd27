//! The `hub-emulator` command.

fn main() {}
