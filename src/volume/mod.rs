//! Encrypted volumes in LUKS2 containers.
