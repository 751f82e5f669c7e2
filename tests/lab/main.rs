//! The lab, from a shell.

fn main() {}
