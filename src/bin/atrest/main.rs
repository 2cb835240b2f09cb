//! The `atrest` command.
fn main() {}
