//! A volume's root key: generated, wrapped and unwrapped by key providers.
