//! What the target shares: cases, the service that answers as they say, and an allocator that counts.

pub mod answer;
#[path = "../../../../fuzz/src/memory.rs"]
pub mod memory;
pub mod secret;
pub mod service;
